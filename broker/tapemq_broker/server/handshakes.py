"""Connections that have not said who they are yet."""

from typing import Final

from tapemq.wire.errors import OVERLOADED
from tapemq_broker.server.connection import Connection


class Handshakes:
    """Those whose handshake is not complete, the oldest first, and no more than ``most``.

    Each costs memory until its deadline, whoever has made it. The oldest is given up for a new one:
    a handshake takes milliseconds, so that is one that will never come to its end.
    """

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._open: Final[dict[int, Connection]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def begun(self, connection: Connection) -> None:
        """A client has connected."""
        self._open[connection.number] = connection
        if len(self._open) > self._most:
            oldest = self._open.pop(next(iter(self._open)))
            oldest.fail(OVERLOADED, f"more than {self._most} handshakes were not complete")

    def ended(self, number: int) -> None:
        """One is complete, or its connection is gone."""
        self._open.pop(number, None)
