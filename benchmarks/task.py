"""What one producer or consumer process is told to do."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Self

Settings = dict[str, int | str]
Endpoint = dict[str, int | str]


@dataclass(frozen=True)
class Scenario:
    """One line of the comparison. `rate_per_s` 0 means as fast as the pipeline goes."""

    size_bytes: int
    rate_per_s: int = 0

    @property
    def name(self) -> str:
        """Such as "1 KiB" or "1 KiB at 1,000/s"."""
        size = (
            f"{self.size_bytes // 1024} KiB" if self.size_bytes >= 1024 else f"{self.size_bytes} B"
        )
        return f"{size} at {self.rate_per_s:,}/s" if self.rate_per_s else size


@dataclass(frozen=True)
class Task:
    """A scenario, where to run it, and with which settings of the client.

    The run ends after `seconds`, or after `records` records when that is not 0.
    """

    client: str
    endpoint: Endpoint
    scenario: Scenario
    settings: Settings
    seconds: float
    records: int = 0

    def number(self, name: str) -> int:
        """A setting that is a number."""
        return int(self.settings[name])

    def to_json(self) -> str:
        """The task as one line of text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The task that `to_json` wrote."""
        task = cls(**json.loads(text))
        return replace(task, scenario=Scenario(**json.loads(text)["scenario"]))
