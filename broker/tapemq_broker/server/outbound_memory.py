"""How much waits in this process for clients that read too slowly, over all connections."""

from typing import Final, NamedTuple, Protocol

from tapemq_broker.server.unsent import Unsent


class Slow(Protocol):
    """A connection whose client does not take at once what it is sent."""

    @property
    def unsent(self) -> Unsent:
        """What was written to it."""

    def abort(self, why: str) -> None:
        """Cut it."""


class _Noted(NamedTuple):
    """``upto_bytes``: when so much is sent, it has read what was held for it at first."""

    held_bytes: int
    upto_bytes: int


class OutboundMemory:
    """Counts what is in memory for connections that do not take it at once.

    Beyond the limit, those are cut that have not read what was there for the longest time: else
    ten thousand clients that ask for much and read nothing would have a few hundred KiB each. Who
    reads is told by how much was sent since, as nobody says so of those that are hardly slow.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes: Final = limit_bytes
        self.used_bytes = 0
        # Who has not read for the longest time comes first.
        self._held: Final[dict[Slow, _Noted]] = {}

    def note(self, connection: Slow) -> None:
        """It has begun to be slow, or more was sent to it."""
        noted = self._held.get(connection)
        if noted is None or connection.unsent.sent_bytes >= noted.upto_bytes:
            self._begin_anew(connection)
        else:
            held_bytes = connection.unsent.held_bytes
            self.used_bytes += held_bytes - noted.held_bytes
            self._held[connection] = noted._replace(held_bytes=held_bytes)
        while self.used_bytes > self.limit_bytes and len(self._held) > 1:
            self._look_at(next(iter(self._held)))

    def forget(self, connection: Slow) -> None:
        """It is gone."""
        noted = self._held.pop(connection, None)
        if noted is not None:
            self.used_bytes -= noted.held_bytes

    def _begin_anew(self, connection: Slow) -> None:
        """It has read: there are others that have not for a longer time."""
        self.forget(connection)
        unsent = connection.unsent
        if unsent.held_bytes:
            self.used_bytes += unsent.held_bytes
            self._held[connection] = _Noted(unsent.held_bytes, unsent.written_bytes)

    def _look_at(self, slowest: Slow) -> None:
        if slowest.unsent.sent_bytes >= self._held[slowest].upto_bytes:
            self._begin_anew(slowest)
            return
        self.forget(slowest)
        slowest.abort(
            f"{self.limit_bytes} bytes are held for slow connections, and this one has not "
            "read for the longest time"
        )
