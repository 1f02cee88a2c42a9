"""What one run of one system in one scenario gave."""

from dataclasses import dataclass, field

from benchmarks.task import Scenario


@dataclass(frozen=True)
class Measurement:
    """One run. Times are seconds, latencies milliseconds."""

    system: str
    scenario: Scenario
    repetition: int
    records: int
    elapsed_s: float
    started_at_s: float = 0.0
    """The planned start, in seconds since the epoch."""
    broker_cpu_s: float = 0.0
    producer_cpu_s: float = 0.0
    consumer_cpu_s: float = 0.0
    other_cpu_s: float = 0.0
    """What everything else on the machine used meanwhile, the kernel's own work included."""
    broker_peak_bytes: int = 0
    latency_ms: dict[str, float] = field(default_factory=dict)

    @property
    def records_per_s(self) -> float:
        """From the planned start to the last record confirmed and checked."""
        return self.records / self.elapsed_s


@dataclass(frozen=True)
class SyncCount:
    """How often a broker synced during one run, counted from outside."""

    system: str
    scenario: Scenario
    records: int
    elapsed_s: float
    calls: dict[str, int]

    @property
    def total(self) -> int:
        """All calls together."""
        return sum(self.calls.values())
