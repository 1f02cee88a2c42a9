"""Settlements that take several turns of the event loop, and sessions that end meanwhile."""

from collections.abc import Callable
from typing import Final


class Settlements:
    """What a session has said counts before its end does.

    ``leave`` is told which session is gone for its queues, and whether the broker ended it.
    """

    def __init__(self, leave: Callable[[int, bool], None]) -> None:
        self._leave: Final = leave
        self._under_way: Final[dict[int, int]] = {}
        self._leaving: Final[dict[int, bool]] = {}

    def begin(self, session: int) -> None:
        """One more of a session has begun."""
        self._under_way[session] = self._under_way.get(session, 0) + 1

    def end(self, session: int) -> None:
        """All of one is carried out."""
        self._under_way[session] -= 1
        if not self._under_way[session]:
            del self._under_way[session]
            if session in self._leaving:
                self._leave(session, self._leaving.pop(session))

    def closed(self, session: int, *, by_us: bool) -> bool:
        """A session is gone. Whether its queues have been told; else they are at the end."""
        if session in self._under_way:
            self._leaving[session] = by_us
            return False
        self._leave(session, by_us)
        return True
