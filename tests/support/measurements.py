"""Measurements with made-up figures."""

from benchmarks.measurement import Measurement
from benchmarks.task import Scenario

PIPELINE = Scenario(100)
LATENCY = Scenario(1024, 1_000)


def pipeline(
    system: str, records_per_s: int, scenario: Scenario = PIPELINE, repetition: int = 1
) -> Measurement:
    """A run of ten seconds at full speed."""
    return Measurement(
        system=system,
        scenario=scenario,
        repetition=repetition,
        records=records_per_s * 10,
        elapsed_s=10.0,
        broker_cpu_s=4.0 * repetition,
        producer_cpu_s=3.0,
        consumer_cpu_s=2.0,
        other_cpu_s=0.5,
        broker_peak_bytes=repetition * 2**20,
    )


def latency(system: str, p99_ms: float, repetition: int = 1) -> Measurement:
    """A run on a schedule."""
    return Measurement(
        system=system,
        scenario=LATENCY,
        repetition=repetition,
        records=10_000,
        elapsed_s=10.0,
        latency_ms={"p50": p99_ms / 2, "p99": p99_ms, "p99.9": p99_ms * 2, "max": p99_ms * 4},
    )
