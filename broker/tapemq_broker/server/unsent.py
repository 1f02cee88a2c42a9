"""What was written to a transport and is still in this process's memory."""

import asyncio
from collections import deque
from collections.abc import Sized
from typing import Final, cast

_FRAME_BYTES: Final = 256
"""What a frame takes beside its bytes, at most: the objects that hold them."""
_SLICE_PART: Final = 4


def owned(payload: memoryview) -> memoryview:
    """A payload to be sent: itself, or a copy where it is a small part of what was read.

    It would keep all of that in memory, and with others of the same, each would count for all.
    """
    whole = len(cast(Sized, payload.obj))
    return payload if len(payload) * _SLICE_PART >= whole else memoryview(bytes(payload))


class Unsent:
    """The frames of one connection.

    A transport says how much it has not sent, but uvloop's keeps all that was written in one turn
    of the loop until the last byte of it is sent. Of 1.5 MiB for a client that has stopped
    reading, 270 KiB may be unsent. So what was written in a turn counts as a whole, and until it
    is sent as a whole.
    """

    def __init__(self) -> None:
        self.written_bytes = 0
        """All that was ever written."""
        self._transport: asyncio.WriteTransport | None = None
        self._turns: Final[deque[tuple[int, int]]] = deque()  # (where it ends, bytes in memory)
        self._memory_bytes = 0
        self._is_turn_new = True

    def goes_to(self, transport: asyncio.WriteTransport | None) -> None:
        """Frames are written to this transport; None: there is none any more."""
        self._transport = transport

    def wrote(self, head: bytes, payload: memoryview | None) -> None:
        """A frame was written."""
        self.written_bytes += len(head)
        memory_bytes = _FRAME_BYTES + len(head)
        if payload is not None:
            self.written_bytes += len(payload)
            memory_bytes += len(cast(Sized, payload.obj))
        self._memory_bytes += memory_bytes
        if self._is_turn_new or not self._turns:
            self._is_turn_new = False
        else:
            memory_bytes += self._turns.pop()[1]
        self._turns.append((self.written_bytes, memory_bytes))

    def turn_ends(self) -> None:
        """What is written from now on is of another turn of the loop."""
        self._is_turn_new = True

    @property
    def unsent_bytes(self) -> int:
        """What waits in this process for the client to read."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    @property
    def sent_bytes(self) -> int:
        """How much of what was written is out of this process."""
        return self.written_bytes - self.unsent_bytes

    @property
    def held_bytes(self) -> int:
        """What is in memory until the client reads."""
        sent_bytes, turns = self.sent_bytes, self._turns
        while turns and turns[0][0] <= sent_bytes:
            self._memory_bytes -= turns.popleft()[1]
        return self._memory_bytes
