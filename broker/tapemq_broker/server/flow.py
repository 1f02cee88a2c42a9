"""How much clients may publish: windows, and the reasons to close them."""

import logging
from typing import Final

from tapemq.wire import messages as m
from tapemq.wire.errors import LIMIT_EXCEEDED, ProtocolError
from tapemq_broker.config import Settings
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.sessions import Sessions
from tapemq_broker.storage.disk import Disk

log = logging.getLogger("tapemq.broker")

DISK_LOW: Final = "disk_low"
STOPPING: Final = "stopping"
_RETRY_S: Final = 1.0
_SHARE: Final = 20
_AT_MOST_BYTES: Final = 1 << 30


class Flow:
    """Publishing is blocked while the disk is low; reading, committing and deleting go on."""

    def __init__(self, settings: Settings, disk: Disk, sessions: Sessions) -> None:
        self._settings = settings
        self._disk = disk
        self._sessions = sessions
        self.blocked = ""
        self._stopping = False
        self.disk_free_bytes = 0
        self.disk_mark_bytes = 0

    @property
    def window_bytes(self) -> int:
        """What a connection may have in flight now."""
        return 0 if self.blocked else self._settings.publish_window_bytes

    def check_disk(self) -> None:
        """Look at the disk; tell all clients when publishing is blocked or free again."""
        self.disk_free_bytes = self._disk.free_bytes()
        own = self._settings.disk_free_min_bytes
        default = min(self._disk.total_bytes() // _SHARE, _AT_MOST_BYTES)
        self.disk_mark_bytes = default if own is None else own
        if self._stopping:
            return
        low = self.disk_free_bytes < self.disk_mark_bytes
        if low and not self.blocked:
            self._change(DISK_LOW)
        elif not low and self.blocked:
            self._change("")

    def _change(self, reason: str) -> None:
        self.blocked = reason
        free, mark = self.disk_free_bytes, self.disk_mark_bytes
        if reason:
            log.error("publishing is blocked: %d bytes free, the mark is %d", free, mark)
        else:
            log.warning("publishing goes on: %d bytes free, the mark is %d", free, mark)
        self._sessions.broadcast(self.message())

    def stop(self) -> None:
        """The broker is stopping: nothing more is published."""
        self._stopping = True
        self.blocked = STOPPING
        self._sessions.broadcast(self.message())

    def message(self) -> m.Flow:
        """The state of affairs, for a client."""
        return m.Flow(self.window_bytes, self.blocked, int(_RETRY_S * 1000) if self.blocked else 0)

    def admit(self, connection: Connection, correlation: int, size_bytes: int) -> Refusal | None:
        """Count a publish in; a Refusal if it cannot be now.

        Raises ProtocolError when the client ignores its window: more than one frame beyond it.
        """
        if connection.in_flight_bytes > self._settings.publish_window_bytes:
            raise ProtocolError(
                f"{connection.in_flight_bytes} bytes are in flight; the publish window is "
                f"{self._settings.publish_window_bytes}",
                LIMIT_EXCEEDED,
            )
        if self._stopping:
            return Refusal("overloaded", "the broker is stopping; connect again later", _RETRY_S)
        if self.blocked:
            return Refusal(
                "disk_full",
                f"{self.disk_free_bytes} bytes are free on the broker's disk, "
                f"{self.disk_mark_bytes} must stay free",
                _RETRY_S,
            )
        connection.publish_sizes[correlation] = size_bytes
        connection.in_flight_bytes += size_bytes
        return None
