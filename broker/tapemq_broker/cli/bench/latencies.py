"""How long things took, and the percentiles of that."""

from array import array
from math import ceil


class Latencies:
    """Durations in seconds, eight bytes each."""

    def __init__(self) -> None:
        self._samples = array("d")

    def add(self, duration_s: float) -> None:
        """Note a duration."""
        self._samples.append(duration_s)

    def __len__(self) -> int:
        return len(self._samples)

    def percentiles_ms(self) -> dict[str, float | None]:
        """Median, p99, p99.9 and the longest, in milliseconds; None where nothing was noted."""
        ordered = sorted(self._samples)
        shares = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999, "max_ms": 1.0}
        return {
            name: round(ordered[ceil(share * len(ordered)) - 1] * 1000, 3) if ordered else None
            for name, share in shares.items()
        }
