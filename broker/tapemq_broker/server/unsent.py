"""What was written to a transport and is still in this process's memory."""

from collections import deque
from collections.abc import Sized
from typing import Final, NamedTuple, cast


class _Payload(NamedTuple):
    """Where a payload lies among all bytes ever written, and what it keeps in memory."""

    first: int
    end: int
    memory_bytes: int


class Unsent:
    """The bytes of one connection.

    A transport says how much it has not sent, but keeps a payload whole until its last byte is
    sent, and a payload that is a part of what was read keeps all of that: of 1.5 MiB for a client
    that has stopped reading, 270 KiB may be unsent.
    """

    def __init__(self) -> None:
        self._written_bytes = 0
        self._payloads: Final[deque[_Payload]] = deque()

    def written(self, size_bytes: int) -> None:
        """So much that is not a payload was written to the transport."""
        self._written_bytes += size_bytes

    def payload_written(self, payload: memoryview, unsent_bytes: int) -> int:
        """A payload was, and the transport has so much unsent by now; what it keeps in memory."""
        first = self._written_bytes
        self._written_bytes += len(payload)
        memory_bytes = len(cast(Sized, payload.obj))
        self._payloads.append(_Payload(first, self._written_bytes, memory_bytes))
        self._forget_sent(unsent_bytes)
        return memory_bytes

    def held_bytes(self, unsent_bytes: int) -> int:
        """What is in memory while the transport has so much unsent."""
        sent_upto = self._forget_sent(unsent_bytes)
        return unsent_bytes + sum(
            payload.memory_bytes - (payload.end - max(payload.first, sent_upto))
            for payload in self._payloads
        )

    def _forget_sent(self, unsent_bytes: int) -> int:
        sent_upto = self._written_bytes - unsent_bytes
        while self._payloads and self._payloads[0].end <= sent_upto:
            self._payloads.popleft()
        return sent_upto
