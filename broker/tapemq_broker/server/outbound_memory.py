"""How much waits in this process for clients that read too slowly, over all connections."""

from typing import Final, Protocol


class Slow(Protocol):
    """A connection whose client does not read as fast as it is sent to."""

    def abort(self, why: str) -> None:
        """Cut it."""


class OutboundMemory:
    """Counts what is unsent on connections that take no more data.

    Beyond the limit, those are cut that have not read for the longest time: else ten thousand
    clients that ask for much and read nothing would have a few hundred KiB each.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes: Final = limit_bytes
        self.used_bytes = 0
        # Who has not made progress for the longest time comes first.
        self._unsent: Final[dict[Slow, int]] = {}

    def note(self, connection: Slow, unsent_bytes: int) -> None:
        """So much waits for this client; it has begun to be slow, or more was sent to it."""
        self.used_bytes += unsent_bytes - self._unsent.get(connection, 0)
        self._unsent[connection] = unsent_bytes
        while self.used_bytes > self.limit_bytes and len(self._unsent) > 1:
            slowest = next(iter(self._unsent))
            self.forget(slowest)
            slowest.abort(
                f"{self.limit_bytes} bytes are unsent on slow connections, and this one has not "
                "read for the longest time"
            )

    def progress(self, connection: Slow, unsent_bytes: int) -> None:
        """A slow client has read something."""
        self.forget(connection)
        self.note(connection, unsent_bytes)

    def forget(self, connection: Slow) -> None:
        """It has read enough, or is gone."""
        self.used_bytes -= self._unsent.pop(connection, 0)
