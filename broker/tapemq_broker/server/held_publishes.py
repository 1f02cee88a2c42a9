"""Publishes that wait on their connections, for an inspection or for a turn at the disk."""

from collections import deque
from typing import Final

from tapemq_broker.core.effects import Request
from tapemq_broker.server.connection import Connection, Held
from tapemq_broker.server.unanswered import LARGE, Unanswered


class HeldPublishes:
    """Counts them, and gives up those whose deadlines come first: they are never appended."""

    def __init__(self, unanswered: Unanswered) -> None:
        self._unanswered: Final = unanswered
        # When the first deadline of a connection's held publishes comes; it may be one's that is
        # held no more. Who holds none with a deadline costs the timer nothing.
        self._soonest: Final[dict[Connection, float]] = {}

    def add(self, connection: Connection, held: Held) -> bool:
        """Let one wait. Whether it is the only one: then nobody works on them yet."""
        # Their bytes are counted; what they take beside these may be much more.
        self._unanswered.add(held.request.session, LARGE, lasts=False)
        connection.held.append(held)
        deadline = held.request.deadline
        if deadline is not None:
            self._soonest[connection] = min(deadline, self._soonest.get(connection, deadline))
        return len(connection.held) == 1

    def let_go(self, connection: Connection) -> Held:
        """The first that waits, which waits no more."""
        held = connection.held.popleft()
        if not held.is_late:
            self._unanswered.remove(held.request.session, LARGE, lasts=False)
        return held

    def expired(self, now: float) -> list[Request]:
        """Requests whose deadline has come before their turn."""
        late: list[Request] = []
        for connection, soonest in list(self._soonest.items()):
            if not connection.held:
                del self._soonest[connection]
            elif soonest <= now:
                late += self._give_up(connection, now)
        return late

    def _give_up(self, connection: Connection, now: float) -> list[Request]:
        first, *behind = connection.held
        late = [held for held in (first, *behind) if _is_due(held, now)]
        for held in late:
            held.is_late, held.body = True, b""
        # The first stays: a task is at work on it, and ends when none is left.
        connection.held = deque([first, *(held for held in behind if not held.is_late)])
        self._look_again(connection)
        for held in late:
            self._unanswered.remove(held.request.session, LARGE, lasts=False)
        return [held.request for held in late]

    def _look_again(self, connection: Connection) -> None:
        deadlines = [held.request.deadline for held in connection.held if not held.is_late]
        soonest = min((at for at in deadlines if at is not None), default=None)
        if soonest is None:
            del self._soonest[connection]
        else:
            self._soonest[connection] = soonest


def _is_due(held: Held, now: float) -> bool:
    deadline = held.request.deadline
    return deadline is not None and deadline <= now and not held.is_late
