"""The whole result as one document, and its JSON form."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.goals import Goal, goals
from benchmarks.measurement import Measurement, SyncCount
from benchmarks.summary import Summaries

FORMAT = 1
DISTURBED_SHARE = 0.1


@dataclass
class Document:
    """What a benchmark measured, and everything that is needed to judge it."""

    machine: dict[str, str | int | float]
    repetitions: int
    seconds: float
    titles: dict[str, str]
    versions: dict[str, dict[str, str]]
    settings: dict[str, dict[str, dict[str, int | str]]]
    """By system and name of the scenario."""
    runs: list[Measurement] = field(default_factory=list)
    syncs: list[SyncCount] = field(default_factory=list)
    taken_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def summaries(self) -> Summaries:
        """Medians over the repetitions."""
        return Summaries(self.runs)

    @property
    def goals(self) -> list[Goal]:
        """What was to be reached."""
        return goals(self.summaries)

    @property
    def disturbed_runs(self) -> int:
        """In how many runs other work had more than a tenth of the machine."""
        cores = float(self.machine["cores"])
        return sum(run.other_cpu_s > DISTURBED_SHARE * cores * run.elapsed_s for run in self.runs)

    def title(self, system: str) -> str:
        """How a system is called in tables."""
        return self.titles.get(system, system)

    def to_json(self) -> str:
        """Everything, with single runs, summaries and goals."""
        summaries = self.summaries
        fields: dict[str, Any] = {
            "format": FORMAT,
            **asdict(self),
            "summaries": [
                {**asdict(each), "tapemq_speed_ratio": summaries.speed_ratio(each)}
                for each in summaries.pipelines()
            ]
            + [
                {**asdict(each), "tapemq_p99_ratio": summaries.latency_ratio(each, "p99")}
                for each in summaries.latencies()
            ],
            "goals": [asdict(goal) for goal in self.goals],
        }
        return json.dumps(fields, indent=1)

    def write(self, path: Path) -> None:
        """Write the JSON form."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.to_json() + "\n")
