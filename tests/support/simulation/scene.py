"""What everything in a simulated run shares."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Final

import tapemq
from tests.support.simulation.app import App, Work
from tests.support.simulation.history import History
from tests.support.simulation.loop import SimLoop
from tests.support.simulation.machine import Machine

OPERATIONS_MIN: Final = 200
"""Publishers go on until the applications of a run have done so many."""
_PAUSE_S: Final = 0.3
_IDLE_S: Final = 3.0


@dataclass
class Scene:
    """The world of one run, and the history of what the applications saw."""

    loop: SimLoop
    random: Random
    machine: Machine
    history: History
    rot: bool = False
    """Reads may return wrong bits: the broker may refuse to serve what is hit."""
    limits: Random = field(default_factory=Random)
    """Which topics have a limit of their length, which queue groups of attempts, or an operator."""
    large: bool = False
    """More of everything than the promises need to be put to the test."""
    kept_records: int = 0
    """Records that were acknowledged as durable, in topics that keep everything."""
    errors: Counter[str] = field(default_factory=Counter)
    apps: list[App] = field(default_factory=list)

    def app(self, name: str, work: Work) -> App:
        """A new application."""
        app = App(self.loop, Random(self.random.random()), name, work)
        self.apps.append(app)
        return app

    @property
    def operations_missing(self) -> int:
        """How many operations the run still lacks. What is kept is read at the end, too."""
        return OPERATIONS_MIN - self.history.operations() - self.kept_records

    @property
    def is_enough(self) -> bool:
        """The applications have done what a run is to consist of."""
        return self.operations_missing <= 0

    async def rest(self, random: Random) -> None:
        """Pause between two things to do: for longer if it is enough."""
        await asyncio.sleep(random.random() * (_IDLE_S if self.is_enough else _PAUSE_S))

    def expected(self, error: tapemq.Error, *codes: str) -> None:
        """Note an error that the application was told; any other code is a failure."""
        self.errors[error.code] += 1
        if error.code == "storage_failed" and self.rot:
            return
        if error.code not in codes:
            raise error
        if error.code == "disk_full" and not self.machine.trouble.counts.get("enospc"):
            raise error  # a low disk blocks publishers only
