"""Large work on leases, some of it in each turn of the event loop."""

from collections import deque
from collections.abc import Iterable, Iterator

from tapemq_broker.core.effects import Effects
from tapemq_broker.core.queue.leases import RUNS_AT_ONCE
from tapemq_broker.core.queue.outcome import Outcome

Chore = Iterator[int]
"""Work step by step; what each step has cost."""


class Chores:
    """One after the other. A chore's step tells ``outcome`` what it has touched, and ``effects``
    what has to happen after that."""

    def __init__(self) -> None:
        self.outcome = Outcome()
        self.effects: Effects = []
        self._waiting: deque[Chore] = deque()

    def __bool__(self) -> bool:
        """There is more to do."""
        return bool(self._waiting)

    def add(self, chores: Iterable[Chore]) -> None:
        """They come last."""
        self._waiting.extend(chores)

    def step(self) -> None:
        """Do some; ``outcome`` and ``effects`` are those of this step."""
        self.outcome, self.effects = Outcome(), []
        done = 0
        while self._waiting and done < RUNS_AT_ONCE:
            cost = next(self._waiting[0], None)
            if cost is None:
                self._waiting.popleft()
            else:
                done += cost
