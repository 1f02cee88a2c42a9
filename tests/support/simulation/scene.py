"""What everything in a simulated run shares."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import tapemq
from tests.support.simulation.app import App, Work
from tests.support.simulation.history import History
from tests.support.simulation.loop import SimLoop
from tests.support.simulation.machine import Machine


@dataclass
class Scene:
    """The world of one run, and the history of what the applications saw."""

    loop: SimLoop
    random: Random
    machine: Machine
    history: History
    rot: bool = False
    """Reads may return wrong bits: the broker may refuse to serve what is hit."""
    large: bool = False
    """More of everything than the promises need to be put to the test."""
    errors: Counter[str] = field(default_factory=Counter)
    apps: list[App] = field(default_factory=list)

    def app(self, name: str, work: Work) -> App:
        """A new application."""
        app = App(self.loop, Random(self.random.random()), name, work)
        self.apps.append(app)
        return app

    def expected(self, error: tapemq.Error, *codes: str) -> None:
        """Note an error that the application was told; any other code is a failure."""
        self.errors[error.code] += 1
        if error.code == "storage_failed" and self.rot:
            return
        if error.code not in codes:
            raise error
        if error.code == "disk_full" and not self.machine.trouble.counts.get("enospc"):
            raise error  # a low disk blocks publishers only
