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
MEMORY: Final = "memory"
STOPPING: Final = "stopping"
_RETRY_S: Final = 1.0
_SHARE: Final = 20
_AT_MOST_BYTES: Final = 1 << 30


class Flow:
    """Publishing is blocked while the disk is low; reading, committing and deleting go on.

    While memory is short every connection has a share, and what is beyond it is refused: who takes
    much is slowed, who takes little is not.
    """

    def __init__(self, settings: Settings, disk: Disk, sessions: Sessions) -> None:
        self._settings = settings
        self._disk = disk
        self._sessions = sessions
        self._memory = sessions.memory
        self.blocked = ""
        self._is_disk_low = False
        self._stopping = False
        self.disk_free_bytes = 0
        self.disk_mark_bytes = 0

    @property
    def window_bytes(self) -> int:
        """What a connection may have in flight now."""
        window_bytes = self._settings.publish_window_bytes
        if self.blocked == MEMORY:
            return min(window_bytes, self._share_bytes)
        return 0 if self.blocked else window_bytes

    @property
    def _share_bytes(self) -> int:
        return max(1, self._memory.share_bytes(len(self._sessions.by_number)))

    def check_disk(self) -> None:
        """Look at the disk; tell all clients when publishing is blocked or free again."""
        self.disk_free_bytes = self._disk.free_bytes()
        own = self._settings.disk_free_min_bytes
        default = min(self._disk.total_bytes() // _SHARE, _AT_MOST_BYTES)
        self.disk_mark_bytes = default if own is None else own
        is_low = self.disk_free_bytes < self.disk_mark_bytes
        if is_low != self._is_disk_low:
            self._is_disk_low = is_low
            free, mark = self.disk_free_bytes, self.disk_mark_bytes
            level = logging.ERROR if is_low else logging.WARNING
            log.log(
                level,
                "the disk is %s: %d bytes free, the mark is %d",
                "low, nothing is published" if is_low else "low no more",
                free,
                mark,
            )
        self._update()

    def check_memory(self) -> None:
        """Tell all clients when what is being published becomes too much, and when it does not."""
        if self._memory.is_short != (self.blocked == MEMORY):
            self._update()

    def stop(self) -> None:
        """The broker is stopping: nothing more is published."""
        self._stopping = True
        self._update()

    def _update(self) -> None:
        reason = MEMORY if self._memory.is_short else ""
        reason = DISK_LOW if self._is_disk_low else reason
        reason = STOPPING if self._stopping else reason
        if reason == self.blocked:
            return
        if MEMORY in (reason, self.blocked):
            used, limit = self._memory.used_bytes, self._memory.limit_bytes
            log.warning("%d bytes are being published, the limit is %d", used, limit)
        self.blocked = reason
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
        self.check_memory()
        refusal = self._refusal(connection, size_bytes) if self.blocked else None
        if refusal is None:
            connection.begin_publish(correlation, size_bytes)
        return refusal

    def _refusal(self, connection: Connection, size_bytes: int) -> Refusal | None:
        if self._stopping:
            return Refusal("overloaded", "the broker is stopping; connect again later", _RETRY_S)
        if self._is_disk_low:
            return Refusal(
                "disk_full",
                f"{self.disk_free_bytes} bytes are free on the broker's disk, "
                f"{self.disk_mark_bytes} must stay free",
                _RETRY_S,
            )
        in_flight_bytes = connection.in_flight_bytes
        is_alone = in_flight_bytes == 0 and not self._memory.is_exhausted
        if is_alone or in_flight_bytes + size_bytes <= self._share_bytes:
            return None
        return Refusal(
            "overloaded",
            f"{self._memory.used_bytes} bytes are being published; as long as that is too much, "
            f"{self._share_bytes} of them may be this connection's",
            _RETRY_S,
        )
