"""What a benchmark found."""

from typing import Any, NamedTuple

from tapemq_broker.cli.bench.latencies import Latencies
from tapemq_broker.config import MIB


class Result(NamedTuple):
    """One measurement."""

    test: str
    records: int
    size_bytes: int
    seconds: float
    latencies: Latencies | None = None

    def row(self) -> dict[str, Any]:
        """It in print. Latencies are there only if a rate was asked for."""
        per_s = self.records / self.seconds if self.seconds else 0.0
        row = {
            "test": self.test,
            "records": self.records,
            "size_bytes": self.size_bytes,
            "seconds": round(self.seconds, 3),
            "records_per_s": round(per_s),
            "mib_per_s": round(per_s * self.size_bytes / MIB, 1),
        }
        return row | (self.latencies.percentiles_ms() if self.latencies else {})
