"""How much waits in this process for clients that read too slowly, over all connections."""

from typing import Final, Protocol


class Slow(Protocol):
    """A connection whose client does not read as fast as it is sent to."""

    @property
    def held_bytes(self) -> int:
        """What is in memory for it by now."""

    def abort(self, why: str) -> None:
        """Cut it."""


class OutboundMemory:
    """Counts what is in memory for connections that do not take it at once.

    Beyond the limit, those are cut that have not read for the longest time: else ten thousand
    clients that ask for much and read nothing would have a few hundred KiB each.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes: Final = limit_bytes
        self.used_bytes = 0
        # Who has not made progress for the longest time comes first.
        self._held: Final[dict[Slow, int]] = {}

    def note(self, connection: Slow, held_bytes: int) -> None:
        """So much is held for this client; it has begun to be slow, or more was sent to it."""
        self.used_bytes += held_bytes - self._held.get(connection, 0)
        self._held[connection] = held_bytes
        while self.used_bytes > self.limit_bytes and len(self._held) > 1:
            self._cut(next(iter(self._held)))

    def progress(self, connection: Slow, held_bytes: int) -> None:
        """A slow client has read something."""
        self.forget(connection)
        if held_bytes:
            self.note(connection, held_bytes)

    def forget(self, connection: Slow) -> None:
        """It has read enough, or is gone."""
        self.used_bytes -= self._held.pop(connection, 0)

    def _cut(self, slowest: Slow) -> None:
        """Unless it has read meanwhile: nobody tells that of those who are hardly slow."""
        noted_bytes, held_bytes = self._held[slowest], slowest.held_bytes
        self.forget(slowest)
        if held_bytes >= noted_bytes:
            slowest.abort(
                f"{self.limit_bytes} bytes are held for slow connections, and this one has not "
                "read for the longest time"
            )
        elif held_bytes:
            self.used_bytes += held_bytes
            self._held[slowest] = held_bytes
