"""Settlements that take several turns of the event loop, and who leaves meanwhile."""

from collections import deque
from collections.abc import Callable
from typing import Final


class _Session:
    """Numbers of settlements that are under way, in order, and what waits: for the last of them
    that there was then."""

    def __init__(self) -> None:
        self.under_way: dict[int, None] = {}
        self.begun = 0
        self.waiting: deque[tuple[int, Callable[[], None]]] = deque()

    def take_waiting(self) -> list[Callable[[], None]]:
        """What need not wait any longer."""
        taken: list[Callable[[], None]] = []
        oldest = next(iter(self.under_way), None)
        while self.waiting and (oldest is None or self.waiting[0][0] < oldest):
            taken.append(self.waiting.popleft()[1])
        return taken


class Settlements:
    """What a session has settled counts before its end does, or that of one of its queues.

    ``leave`` is told which session is gone for its queues, and whether the broker ended it.
    """

    def __init__(self, leave: Callable[[int, bool], None]) -> None:
        self._leave: Final = leave
        self._sessions: Final[dict[int, _Session]] = {}
        self._leaving: Final[dict[int, bool]] = {}

    def begin(self, session: int) -> int:
        """One more of a session has begun; its number."""
        of = self._sessions.setdefault(session, _Session())
        of.begun += 1
        of.under_way[of.begun] = None
        return of.begun

    def end(self, session: int, number: int) -> None:
        """All of one is carried out."""
        of = self._sessions[session]
        del of.under_way[number]
        if not of.under_way:
            del self._sessions[session]
        for call in of.take_waiting():
            call()
        if not of.under_way and session in self._leaving:
            self._leave(session, self._leaving.pop(session))

    def when_done(self, session: int, call: Callable[[], None]) -> None:
        """Call when all is carried out that a session has settled up to now."""
        of = self._sessions.get(session)
        if of is None:
            call()
        else:
            of.waiting.append((of.begun, call))

    def closed(self, session: int, *, by_us: bool) -> bool:
        """A session is gone. Whether its queues have been told; else they are at the end."""
        if session in self._sessions:
            self._leaving[session] = by_us
            return False
        self._leave(session, by_us)
        return True
