"""How much waits in this process for clients that read too slowly, over all connections."""

from typing import Final, NamedTuple, Protocol

from tapemq_broker.server.unsent import Unsent

_ROOM_PART: Final = 16
"""Of the limit. 10,000 connections are counted in some milliseconds, so there must be as much more,
or room for it, before that is done again."""


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
    reads is told by how much was sent since, as nobody says so of those that are hardly slow. So
    before anybody is cut, all are counted anew; what comes right behind that may pass the limit by
    a 16th.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes: Final = limit_bytes
        self._room_bytes: Final = limit_bytes // _ROOM_PART
        self.used_bytes = 0
        self._count_beyond_bytes = limit_bytes
        # Who has not read for the longest time comes first.
        self._held: Final[dict[Slow, _Noted]] = {}

    def note(self, connection: Slow) -> None:
        """It has begun to be slow, or more was sent to it."""
        noted = self._held.get(connection)
        if noted is None or connection.unsent.sent_bytes >= noted.upto_bytes:
            self._begin_anew(connection)
        else:
            self._count(connection, noted)
        if self.used_bytes > self._count_beyond_bytes:
            self._count_anew()
            if self.used_bytes > self.limit_bytes:
                self._make_room()
            self._count_beyond_bytes = max(self.limit_bytes, self.used_bytes + self._room_bytes)

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

    def _count_anew(self) -> None:
        """Of most that have read nobody has said so; who is left has not."""
        for connection, noted in list(self._held.items()):
            if connection.unsent.sent_bytes >= noted.upto_bytes:
                self._begin_anew(connection)
            else:
                self._count(connection, noted)

    def _make_room(self) -> None:
        while self.used_bytes > self.limit_bytes - self._room_bytes and len(self._held) > 1:
            self._cut(next(iter(self._held)))

    def _count(self, connection: Slow, noted: _Noted) -> None:
        held_bytes = connection.unsent.held_bytes
        self.used_bytes += held_bytes - noted.held_bytes
        self._held[connection] = noted._replace(held_bytes=held_bytes)

    def _cut(self, slowest: Slow) -> None:
        self.forget(slowest)
        slowest.abort(
            f"{self.limit_bytes} bytes are held for slow connections, and this one has not "
            "read for the longest time"
        )
