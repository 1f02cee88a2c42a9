"""How many requests of each session wait: for the disk, a thread, or their turn."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

UNANSWERED_MAX: Final = 16_384
"""Of one session. More are not read until half of them are answered, or a disk that hangs would
fill the memory with what a client goes on asking."""

IN_ALL_MAX: Final = 16 * UNANSWERED_MAX
"""Of all sessions, with those that are gone: up to 1 KiB each. Beyond that, who has more than a
share of it is refused more, and beyond twice that everybody is: clients that come, ask and go would
else fill the memory all the same."""

LARGE: Final = 16
"""So many count for one that keeps its whole message, or a task: up to 16 KiB."""


class Unanswered:
    """Counts them. ``crowded(session, is_crowded)`` is told who has too many, and has no longer.

    What ``lasts`` goes on to wait when its session is gone.
    """

    def __init__(
        self,
        crowded: Callable[[int, bool], object],
        most: int = UNANSWERED_MAX,
        in_all_max: int = IN_ALL_MAX,
    ) -> None:
        self._crowded: Final = crowded
        self._most: Final = most
        self._in_all_max: Final = in_all_max
        self._in_all = 0  # of those that last
        self._counts: Final[dict[int, int]] = {}
        self._crowds: Final[set[int]] = set()

    def is_overrun(self, session: int) -> bool:
        """Whether no more of its requests can be taken now."""
        if self._in_all < self._in_all_max:
            return False
        share = self._in_all_max // (2 * max(1, len(self._counts)))
        return self._in_all >= 2 * self._in_all_max or self._counts.get(session, 0) >= share

    def add(self, session: int, weight: int = 1, *, lasts: bool = True) -> None:
        """One more waits, that counts for so many."""
        self._in_all += weight * lasts
        count = self._counts[session] = self._counts.get(session, 0) + weight
        if count >= self._most and session not in self._crowds:
            self._crowds.add(session)
            self._crowded(session, True)

    def remove(self, session: int, weight: int = 1, *, lasts: bool = True) -> None:
        """One waits no longer; nobody is told if its session is forgotten."""
        self._in_all -= weight * lasts
        count = self._counts.pop(session, 0) - weight
        if count > 0:
            self._counts[session] = count
        if count <= self._most // 2 and session in self._crowds:
            self._crowds.remove(session)
            self._crowded(session, False)

    @contextmanager
    def counting(self, session: int, weight: int) -> Iterator[None]:
        """One waits as long as this lasts."""
        self.add(session, weight)
        try:
            yield
        finally:
            self.remove(session, weight)

    def forget(self, session: int) -> None:
        """It is gone: what waits for it only ends by itself."""
        self._counts.pop(session, None)
        self._crowds.discard(session)
