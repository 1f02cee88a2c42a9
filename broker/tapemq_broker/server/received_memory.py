"""What the bytes take that one connection has received."""

from typing import Final

from tapemq.wire.frames import READ_BYTES, FrameReader
from tapemq_broker.server.publish_memory import PublishMemory

_SMALL_BYTES: Final = 4096
"""A part of a frame up to this size is not counted: it fits into the buffer that all have."""


class ReceivedMemory:
    """Counts a frame of which a part is here, and the room that earlier ones have left."""

    def __init__(self, memory: PublishMemory, reader: FrameReader) -> None:
        self._memory: Final = memory
        self._reader: Final = reader
        self._partial_bytes = 0
        self._partial_since = 0.0
        self._kept_bytes = 0

    def handled(self, now: float) -> None:
        """A frame has come to its end."""
        self._partial_since = now

    def count(self, now: float) -> bool:
        """Count what is there by now. False: there is no memory left for it."""
        large_bytes, held_bytes = self._reader.large_bytes, self._reader.buffered_bytes
        if held_bytes > READ_BYTES:  # then all of the buffer is needed
            held_bytes, large_bytes = max(held_bytes, large_bytes), 0
        elif held_bytes <= _SMALL_BYTES:
            held_bytes = 0
        if held_bytes or self._partial_bytes:
            self._hold(held_bytes, now)
        if large_bytes or self._kept_bytes:
            self._keep(large_bytes)
        # A small part is no reason to cut who sends it: it comes to its end, or hoards() tells.
        return held_bytes <= READ_BYTES or not self._memory.is_exhausted

    def _hold(self, size_bytes: int, now: float) -> None:
        if not self._partial_bytes:
            self._partial_since = now
        self._memory.change(size_bytes - self._partial_bytes)
        self._partial_bytes = size_bytes

    def _keep(self, size_bytes: int) -> None:
        """Keep a large buffer for what comes next, if not too many do."""
        memory = self._memory
        if not memory.may_keep(size_bytes - self._kept_bytes):
            self._reader.give_back()
            size_bytes = 0
        memory.kept_bytes += size_bytes - self._kept_bytes
        self._kept_bytes = size_bytes

    def hoards(self, now: float, stall_s: float) -> bool:
        """Whether it holds memory that others need, for a frame that is not completed."""
        lasts_s = now - self._partial_since
        return bool(self._partial_bytes) and self._memory.is_short and lasts_s >= stall_s

    def forget(self) -> None:
        """The connection is gone."""
        # Who still holds the connection, as the line of those that read on, is not to hold this.
        self._reader.drop()
        self._memory.change(-self._partial_bytes)
        self._memory.kept_bytes -= self._kept_bytes
        self._partial_bytes = self._kept_bytes = 0
