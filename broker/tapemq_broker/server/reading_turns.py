"""How much is read of all clients before others have their turn.

What many send at once is not handled in one go: whoever has sent little would wait until all of
it is. The figures are in docs/adr/0002-group-commit.md.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from tapemq_broker.server.clock import Clock

READ_BYTES: Final = 1024 * 1024
"""Most that is read of a client at once."""

_TURN_BYTES: Final = 16 * 1024 * 1024
_TURN_S: Final = 0.005
"""A megabyte may hold tens of thousands of small requests."""


class ReadingTurns:
    """Shares out each turn of the event loop: a time, and bytes, for all connections together.

    A connection that has more when the turn is over goes on in a later one, first come first
    served. One that has sent a single small message never has more, so it never waits.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock
        self._left_bytes = 0
        self._until: float | None = None  # none has begun
        self._waiting: Final[deque[Callable[[], object]]] = deque()

    def read(self, size_bytes: int) -> None:
        """So much was read of a connection."""
        self._begin()
        self._left_bytes -= size_bytes

    def is_over(self) -> bool:
        """Whether what has more is to wait()."""
        if self._until is None:
            return False
        return self._left_bytes <= 0 or self._clock.monotonic() >= self._until

    def wait(self, go_on: Callable[[], object]) -> None:
        """Call back in a turn that has room for one more."""
        self._begin()
        self._waiting.append(go_on)

    def _begin(self) -> None:
        if self._until is None:
            self._until = self._clock.monotonic() + _TURN_S
            self._left_bytes = _TURN_BYTES
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._until = None
        if self._waiting:
            self._begin()  # first, so that the others go on if this one fails
        while self._waiting and not self.is_over():
            go_on = self._waiting.popleft()
            go_on()
            self.read(READ_BYTES)  # it may be, in this turn
