"""Frames: how messages are cut out of a byte stream.

Every frame starts with 16 bytes, big-endian::

     0 magic F1 54 51 31      } what is not TapeMQ (TLS, HTTP) differs in the first byte
     4 length u32             } of what follows these 16 bytes
     8 opcode u8
     9 flags u8               } zero
    10 header_length u16
    12 correlation u32        } a response repeats the request's; 0: nothing to answer
    16 header: a msgpack map of header_length bytes
     . payload: the rest, opaque
"""

from struct import Struct
from typing import Final, NamedTuple

from tapemq.wire.errors import LIMIT_EXCEEDED, ProtocolError
from tapemq.wire.limits import FRAME_BYTES_MAX, HEADER_BYTES_MAX

MAGIC: Final = b"\xf1TQ1"
_PREFIX: Final = Struct(">4sIBBHI")
PREFIX_BYTES: Final = _PREFIX.size
assert PREFIX_BYTES == 16

_ROOM_BYTES: Final = 256 * 1024
"""Most room for one read from the socket, unless a larger frame is under way."""

_IDLE_ROOM_BYTES: Final = 4096
"""Room of a connection that has sent little: ten thousand of them must stay small."""

READ_BYTES: Final = 64 * 1024
"""A read of this size is large enough; so much may be moved to make room for it."""


class Frame(NamedTuple):
    """A frame as received. ``header`` and ``payload`` are views: they hold until get_buffer()."""

    opcode: int
    correlation: int
    header: memoryview
    payload: memoryview


def encode_prefix(opcode: int, header: bytes, payload_bytes: int, correlation: int) -> bytes:
    """The bytes in front of header and payload. Raises ProtocolError beyond the limits."""
    length = len(header) + payload_bytes
    if len(header) > HEADER_BYTES_MAX or length > FRAME_BYTES_MAX:
        raise ProtocolError(f"a frame of {len(header)} and {payload_bytes} bytes", LIMIT_EXCEEDED)
    return _PREFIX.pack(MAGIC, length, opcode, 0, len(header), correlation)


class FrameReader:
    """Received bytes, cut into frames without copying them.

    Used as asyncio's BufferedProtocol wants it: get_buffer(), write there, received(), then
    next_frame() until it returns None. Memory: about twice what has arrived of a frame, or at once,
    never more because of what a frame claims.
    """

    def __init__(self, frame_bytes_max: int) -> None:
        self.frame_bytes_max = frame_bytes_max
        self._resize(_IDLE_ROOM_BYTES)
        self._start = 0
        self._end = 0
        self._wanted = PREFIX_BYTES  # size of the next frame, as far as it is known
        self._last = 0  # size of the last frame

    @property
    def buffered_bytes(self) -> int:
        """Received and not yet returned as a frame."""
        return self._end - self._start

    @property
    def large_bytes(self) -> int:
        """Size of the buffer, if it has grown beyond what one read needs; else 0."""
        size = len(self._data)
        return size if size > READ_BYTES else 0

    def get_buffer(self) -> memoryview:
        """Where the next bytes go. Earlier frames' views are void after this call."""
        size = len(self._data)
        if self._start == self._end:
            self._start = self._end = 0
            if size > self._usual_size():
                self._resize(self._usual_size())
        elif size - self._end < min(READ_BYTES, size // 8):
            self._make_room(size, self._end - self._start)
        return self._view[self._end :]

    def _usual_size(self) -> int:
        """The buffer's size, but one that was made for a larger frame goes after the next."""
        return min(len(self._data), max(_ROOM_BYTES, self._last, self._wanted))

    def _make_room(self, size: int, held: int) -> None:
        missing = max(self._wanted - held, 1)
        if self._start and held <= READ_BYTES:
            busy = self._end == size  # the last read might have brought more
            self._move(max(self._usual_size(), min(2 * size, _ROOM_BYTES) * busy))
        elif size - self._end < missing:
            # Doubling: what has arrived is moved twice at most, and a claim costs nothing.
            needed = 2 * held if held >= self._wanted else min(self._wanted, 2 * held)
            self._move(max(size, needed))

    def _move(self, size: int) -> None:
        """Put what is held to the front of a buffer of ``size`` bytes."""
        held = self._view[self._start : self._end]
        if size != len(self._data):
            self._resize(size)
        self._view[: len(held)] = held  # they may overlap
        self._start, self._end = 0, len(held)

    def _resize(self, size: int) -> None:
        self._data = bytearray(size)
        self._view = memoryview(self._data)

    def shrink(self) -> None:
        """Give memory back if nothing is buffered; for a connection that has become idle."""
        if self._start == self._end and len(self._data) > _IDLE_ROOM_BYTES:
            self._resize(_IDLE_ROOM_BYTES)
            self._start = self._end = 0

    def give_back(self) -> None:
        """Keep no large buffer, unless it is needed for the frame that is under way already."""
        if self.large_bytes and self.buffered_bytes <= READ_BYTES:
            self._move(READ_BYTES)

    def drop(self) -> None:
        """Forget what has arrived, with its memory: the connection is gone. All views are void."""
        self._start = self._end = 0
        self.shrink()

    def received(self, size_bytes: int) -> None:
        """``size_bytes`` have been written to the start of the buffer."""
        self._end += size_bytes

    def feed(self, data: bytes) -> None:
        """Receive ``data``, however long: get_buffer() and received() in one, with a copy."""
        rest = memoryview(data)
        while rest:
            room = self.get_buffer()
            part = min(len(room), len(rest))
            room[:part] = rest[:part]
            self.received(part)
            rest = rest[part:]

    def next_frame(self) -> Frame | None:
        """The next whole frame, or None. Raises ProtocolError as early as it can be known."""
        start, have = self._start, self.buffered_bytes
        if have < PREFIX_BYTES:
            self._check_magic()
            self._wanted = PREFIX_BYTES
            return None
        magic, length, opcode, flags, header_length, correlation = _PREFIX.unpack_from(
            self._data, start
        )
        if magic != MAGIC or flags or header_length > length:
            raise _not_a_frame(bytes(self._view[start : start + PREFIX_BYTES]))
        if length > self.frame_bytes_max or header_length > HEADER_BYTES_MAX:
            raise ProtocolError(
                f"a frame of {length} bytes, {header_length} of them header; "
                f"{self.frame_bytes_max} and {HEADER_BYTES_MAX} are allowed now",
                LIMIT_EXCEEDED,
            )
        self._wanted = PREFIX_BYTES + length
        if have < self._wanted:
            return None
        body = start + PREFIX_BYTES
        self._start = start + self._wanted
        self._last, self._wanted = self._wanted, PREFIX_BYTES
        view = self._view
        return Frame(
            opcode,
            correlation,
            view[body : body + header_length],
            view[body + header_length : self._start],
        )

    def _check_magic(self) -> None:
        head = bytes(self._view[self._start : self._end])
        if not MAGIC.startswith(head[: len(MAGIC)]):
            raise _not_a_frame(head)


def _not_a_frame(head: bytes) -> ProtocolError:
    hint = next((hint for start, hint in _STRANGERS.items() if head.startswith(start)), "")
    return ProtocolError(f"no frame starts with {head.hex(' ')}{hint}")


_HTTP: Final = " (this looks like HTTP: the admin port is another one)"
_STRANGERS: Final = {
    b"\x16": " (this looks like TLS; this port speaks it only if the broker was told to)",
    b"\x15": " (this looks like a TLS alert: the other side expects TLS here)",
    b"AMQP": " (this looks like AMQP: TapeMQ has a protocol of its own)",
    **dict.fromkeys((b"GET ", b"POST", b"HEAD", b"PUT ", b"HTTP"), _HTTP),
}
