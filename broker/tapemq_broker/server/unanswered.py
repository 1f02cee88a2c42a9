"""How many requests of each session wait for the disk."""

from collections.abc import Callable
from typing import Final

UNANSWERED_MAX: Final = 16_384
"""Of one session. More are not read until half of them are answered, or a disk that hangs would
fill the memory with what a client goes on asking."""


class Unanswered:
    """Counts them. ``crowded(session, is_crowded)`` is told who has too many, and has no longer."""

    def __init__(self, crowded: Callable[[int, bool], object], most: int = UNANSWERED_MAX) -> None:
        self._crowded: Final = crowded
        self._most: Final = most
        self._counts: Final[dict[int, int]] = {}
        self._crowds: Final[set[int]] = set()

    def add(self, session: int) -> None:
        """One more waits."""
        count = self._counts[session] = self._counts.get(session, 0) + 1
        if count == self._most:
            self._crowds.add(session)
            self._crowded(session, True)

    def remove(self, session: int) -> None:
        """One waits no longer."""
        count = self._counts[session] - 1
        if count:
            self._counts[session] = count
        else:
            del self._counts[session]
        if count <= self._most // 2 and session in self._crowds:
            self._crowds.remove(session)
            self._crowded(session, False)
