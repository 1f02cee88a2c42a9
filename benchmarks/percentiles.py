"""Percentiles of measured latencies."""

from collections.abc import Sequence
from math import ceil

QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
NANOSECONDS_PER_MS = 1_000_000


def percentile(ordered: Sequence[float], quantile: float) -> float:
    """The nearest-rank percentile of an ascending, non-empty sequence."""
    return ordered[max(0, ceil(quantile * len(ordered)) - 1)]


def latencies_ns(arrivals_ns: Sequence[int], start_ns: int, rate_per_s: int) -> list[int]:
    """How long after its planned time each record arrived.

    Record i was planned at `start_ns` + i / `rate_per_s`; its latency counts from there, however
    late it was sent.
    """
    return [
        arrived_ns - start_ns - number * 1_000_000_000 // rate_per_s
        for number, arrived_ns in enumerate(arrivals_ns)
    ]


def quantiles_ms(measured_ns: Sequence[int], skip: int) -> dict[str, float]:
    """p50, p99, p99.9 and the largest, in milliseconds; the first `skip` are left out."""
    ordered = sorted(measured_ns[min(skip, len(measured_ns) - 1) :])
    named = {name: percentile(ordered, quantile) for name, quantile in QUANTILES.items()}
    return {name: ns / NANOSECONDS_PER_MS for name, ns in {**named, "max": ordered[-1]}.items()}
