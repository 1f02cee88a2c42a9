"""Looking at many things again and again, some at a time, so that no turn of the loop is long."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, Generic, TypeVar

Thing = TypeVar("Thing")


class Round(Generic[Thing]):
    """Every ``every_s`` all ``things`` are looked at, ``at_once`` of them with each step().

    ``things`` is called when a round begins; it returns a collection that does not change. What
    has gone before its turn is ``look``'s business. A round that takes longer than ``every_s`` is
    finished before the next one begins.
    """

    def __init__(
        self,
        every_s: float,
        things: Callable[[], Iterable[Thing]],
        look: Callable[[Thing, float], None],
        *,
        at_once: int,
    ) -> None:
        self._every_s: Final = every_s
        self._things: Final = things
        self._look: Final = look
        self._at_once: Final = at_once
        self._left: Iterator[Thing] = iter(())
        self._next_at = 0.0
        self.is_running = False

    def begin(self, now: float) -> None:
        """The first round is due in ``every_s`` from now."""
        self._next_at = now + self._every_s

    def step(self, now: float) -> None:
        """Look at some more, if it is time."""
        if not self.is_running:
            if now < self._next_at:
                return
            self._next_at = now + self._every_s
            self._left = iter(self._things())
            self.is_running = True
        some = list(islice(self._left, self._at_once))
        self.is_running = len(some) == self._at_once
        for thing in some:
            self._look(thing, now)
