"""Parses what an AMQP 0-9-1 broker sends: frames, deliveries and confirms. No I/O."""

from collections.abc import Callable
from struct import Struct

FRAME_HEADER = Struct(">BHI")  # type, channel, payload size
FRAME_OVERHEAD = FRAME_HEADER.size + 1  # and the end byte
METHOD_ID = Struct(">I")
DELIVERY_TAG = Struct(">Q?")  # and whether it was delivered before
CONFIRM = Struct(">Q?")  # delivery tag, "multiple"
BODY_SIZE = Struct(">Q")

METHOD, HEADER, BODY = 1, 2, 3
DELIVER = 60 << 16 | 60
ACK = 60 << 16 | 80


class Inbox:
    """Splits bytes into frames and calls back for each thing that was received.

    ``redelivered`` belongs to the delivery that is called back for.
    """

    def __init__(
        self,
        on_delivery: Callable[[int, bytes], None],
        on_confirm: Callable[[int, bool], None],
        on_method: Callable[[bytes], None],
    ) -> None:
        self._on_delivery = on_delivery
        self._on_confirm = on_confirm
        self._on_method = on_method
        self.redelivered = False
        self._rest = b""
        self._tag = 0
        self._missing_bytes = 0
        self._parts: list[bytes] = []

    def receive(self, data: bytes) -> None:
        """Take bytes from the socket, however they were cut."""
        data = self._rest + data if self._rest else data
        position, end = 0, len(data)
        while end - position >= FRAME_OVERHEAD:
            kind, _, size = FRAME_HEADER.unpack_from(data, position)
            following = position + FRAME_OVERHEAD + size
            if following > end:
                break
            start = position + FRAME_HEADER.size
            if kind == BODY:
                self._receive_body(data[start : start + size])
            elif kind == METHOD:
                self._receive_method(data, start, following)
            elif kind == HEADER:
                self._missing_bytes = BODY_SIZE.unpack_from(data, start + 4)[0]
            position = following
        self._rest = data[position:]

    def _receive_method(self, data: bytes, start: int, following: int) -> None:
        method = METHOD_ID.unpack_from(data, start)[0]
        if method == DELIVER:
            tag_length = data[start + METHOD_ID.size]
            position = start + METHOD_ID.size + 1 + tag_length
            self._tag, self.redelivered = DELIVERY_TAG.unpack_from(data, position)
        elif method == ACK:
            self._on_confirm(*CONFIRM.unpack_from(data, start + METHOD_ID.size))
        else:
            self._on_method(data[start - FRAME_HEADER.size : following])

    def _receive_body(self, part: bytes) -> None:
        self._missing_bytes -= len(part)
        if self._missing_bytes:
            self._parts.append(part)
            return
        body = b"".join([*self._parts, part]) if self._parts else part
        self._parts.clear()
        self._on_delivery(self._tag, body)


class Confirms:
    """Counts which of the published messages the broker has confirmed."""

    def __init__(self) -> None:
        self.floor = 0
        self._above: set[int] = set()

    def add(self, tag: int, multiple: bool) -> None:
        """Take one confirm: of one message, or of all up to it."""
        if multiple:
            self.floor = max(self.floor, tag)
            self._above = {other for other in self._above if other > self.floor}
        else:
            self._above.add(tag)
        while self.floor + 1 in self._above:
            self.floor += 1
            self._above.discard(self.floor)
