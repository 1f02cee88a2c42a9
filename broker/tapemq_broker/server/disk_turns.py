"""Turns of those who publish much, so that who publishes little is not late for them.

A round of syncs takes as long as what it covers is large, and all who wait for it are as late as
the largest makes them. The figures are in docs/adr/0002-group-commit.md.
"""

import asyncio
from collections.abc import Callable
from typing import Final

SMALL_PART: Final = 64
"""Who has no more unanswered than this part of a round never waits: 64 KiB of 4 MiB."""

SHARE_PART: Final = 4
"""Whose turn it is appends about this part of a round at most: 1 MiB of 4."""


class DiskTurns:
    """Lets about ``round_bytes`` gather for a round of syncs; more comes later, first come first.

    Only one whose turn has come is ever on its way, so what it appends is known before the next
    one is called. ``when_idle(callback)`` calls back when no round of syncs is under way.
    """

    def __init__(self, round_bytes: int, when_idle: Callable[[Callable[[], None]], object]) -> None:
        self._round_bytes: Final = round_bytes
        self._small_bytes: Final = round_bytes // SMALL_PART
        self.share_bytes: Final = round_bytes // SHARE_PART
        self._when_idle: Final = when_idle
        self._gathered_bytes = 0
        self._waiting: Final[dict[asyncio.Future[None], None]] = {}  # an ordered set
        self._called: asyncio.Future[None] | None = None
        self._asks_when_idle = False

    def appended(self, size_bytes: int) -> None:
        """So much more is covered by the round that begins next."""
        self._gathered_bytes += size_bytes

    def round_begins(self) -> None:
        """What has gathered is covered by it."""
        self._gathered_bytes = 0
        self._call_next()

    def must_wait(self, unanswered_bytes: int) -> bool:
        """Whether a batch must: with it, its connection has so much unanswered."""
        if unanswered_bytes <= self._small_bytes:
            return False
        is_full = self._gathered_bytes >= self._round_bytes
        return is_full or self._called is not None or bool(self._waiting)

    def wait(self) -> asyncio.Future[None]:
        """Done when it is its turn, or cancelled by who does not want it any more. See over()."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = None
        self._call_next()
        return turn

    def over(self, turn: asyncio.Future[None]) -> None:
        """To be called for each turn: it was used, or is given up."""
        self._waiting.pop(turn, None)
        if turn is self._called:
            self._called = None
            self._call_next()

    def _came_to_rest(self) -> None:
        self._asks_when_idle = False
        self.round_begins()

    def _call_next(self) -> None:
        while self._waiting and self._called is None and self._gathered_bytes < self._round_bytes:
            turn = next(iter(self._waiting))
            del self._waiting[turn]
            if not turn.done():
                self._called = turn
                turn.set_result(None)
        if self._waiting and self._called is None and not self._asks_when_idle:
            # What has gathered may go with its topic, and no round come for it.
            self._asks_when_idle = True
            self._when_idle(self._came_to_rest)
