"""Medians over repetitions, and ratios between systems."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.measurement import Measurement
from benchmarks.task import Scenario

OURS = "tapemq"


@dataclass(frozen=True)
class Summary:
    """One system in one scenario over all repetitions: medians, and the range of the rate."""

    system: str
    scenario: Scenario
    repetitions: int
    records_per_s: float
    slowest_per_s: float
    fastest_per_s: float
    broker_cpu_s: float
    producer_cpu_s: float
    consumer_cpu_s: float
    other_cpu_s: float
    broker_peak_bytes: float
    latency_ms: dict[str, float]

    @property
    def megabytes_per_s(self) -> float:
        """The rate of payload bytes, in units of 10**6."""
        return self.records_per_s * self.scenario.size_bytes / 1e6


def summarize(runs: Sequence[Measurement]) -> Summary:
    """Summarize the repetitions of one system in one scenario."""
    rates = [run.records_per_s for run in runs]
    names = runs[0].latency_ms
    return Summary(
        system=runs[0].system,
        scenario=runs[0].scenario,
        repetitions=len(runs),
        records_per_s=median(rates),
        slowest_per_s=min(rates),
        fastest_per_s=max(rates),
        broker_cpu_s=median(run.broker_cpu_s for run in runs),
        producer_cpu_s=median(run.producer_cpu_s for run in runs),
        consumer_cpu_s=median(run.consumer_cpu_s for run in runs),
        other_cpu_s=median(run.other_cpu_s for run in runs),
        broker_peak_bytes=median(run.broker_peak_bytes for run in runs),
        latency_ms={name: median(run.latency_ms[name] for run in runs) for name in names},
    )


class Summaries:
    """The summaries of all runs, in the order in which they were first measured."""

    def __init__(self, runs: Iterable[Measurement]) -> None:
        groups: dict[tuple[Scenario, str], list[Measurement]] = {}
        for run in runs:
            groups.setdefault((run.scenario, run.system), []).append(run)
        self._by_key = {key: summarize(group) for key, group in groups.items()}

    def all(self) -> list[Summary]:
        """Every summary."""
        return list(self._by_key.values())

    def pipelines(self) -> list[Summary]:
        """Those that went as fast as they could."""
        return [each for each in self.all() if not each.scenario.rate_per_s]

    def latencies(self) -> list[Summary]:
        """Those on a schedule."""
        return [each for each in self.all() if each.scenario.rate_per_s]

    def find(self, scenario: Scenario, system: str) -> Summary | None:
        """One summary, None when it was not measured."""
        return self._by_key.get((scenario, system))

    def speed_ratio(self, rival: Summary) -> float | None:
        """TapeMQ's rate divided by that of another row of the same scenario."""
        ours = self.find(rival.scenario, OURS)
        return ours.records_per_s / rival.records_per_s if ours else None

    def latency_ratio(self, rival: Summary, name: str) -> float | None:
        """TapeMQ's latency divided by that of another row of the same scenario."""
        ours = self.find(rival.scenario, OURS)
        return ours.latency_ms[name] / rival.latency_ms[name] if ours else None
