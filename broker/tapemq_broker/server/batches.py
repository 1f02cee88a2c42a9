"""Batches that were read to be handed out record by record."""

from array import array
from bisect import bisect_right
from typing import Final

from tapemq.batch import (
    HEADER_BYTES,
    Codec,
    Cutter,
    decode_header,
    decode_prefix,
    read_outline,
)
from tapemq.batch.cut import Part
from tapemq.batch.expiry import decode_ttls, may_expire
from tapemq_broker.core.inspection import is_heavy
from tapemq_broker.storage.record_log import Chunk

_BATCH_BYTES: Final = 400
_RECORD_BYTES: Final = 16
"""What a batch, and a record of one that is cut, take in memory beside their bytes, at most."""


class Batch:
    """One of the batches: where it is, and how records are cut out of it."""

    __slots__ = (
        "_cutter",
        "_data",
        "_is_compressed",
        "_ttls",
        "append_time_us",
        "base_offset",
        "next_offset",
        "start",
        "stop",
    )

    def __init__(self, data: memoryview, start: int) -> None:
        """``data`` was checked; a batch starts at ``start``."""
        outline = read_outline(data, start)
        self._data: Final = data
        self._cutter: Cutter | None = None
        self._is_compressed: bool | None = None
        self._ttls: array[int] | None = None
        self.start: Final = start
        self.stop: Final = start + HEADER_BYTES + outline.body_length
        self.base_offset: Final = outline.base_offset
        self.next_offset: Final = outline.base_offset + outline.record_count
        self.append_time_us: Final = outline.append_time_us

    @property
    def size_bytes(self) -> int:
        """Size of header and body."""
        return self.stop - self.start

    @property
    def body(self) -> memoryview:
        """What the producer has sent."""
        return self._data[self.start + HEADER_BYTES : self.stop]

    @property
    def is_compressed(self) -> bool:
        """It can only be sent as a whole."""
        if self._is_compressed is None:
            self._is_compressed = decode_prefix(self.body).codec is not Codec.NONE
        return self._is_compressed

    @property
    def may_expire(self) -> bool:
        """Some records may have a time to live of their own."""
        return may_expire(self._data, self.start + HEADER_BYTES)

    @property
    def ttls(self) -> "array[int]":
        """The time to live of each record in microseconds; 0: it has none."""
        if self._ttls is None:
            self._ttls = decode_ttls(self.body)
        return self._ttls

    def cut(self, first: int, upto: int) -> list[Part]:
        """The records from offset ``first`` up to ``upto``, as a batch of their own, in pieces."""
        if self._cutter is None:
            self._cutter = Cutter(decode_header(self._data, self.start), self.body)
        return self._cutter.cut(first - self.base_offset, upto - first)


class Batches:
    """What a read has brought, by offset: everything from ``first`` up to ``next_offset``.

    What is not in a batch does not exist: it lies in a gap that a repair has left.
    """

    def __init__(self, first: int, chunk: Chunk) -> None:
        self.next_offset: Final = chunk.next_offset
        self.hint: Final = chunk.hint
        self.data: Final = chunk.data
        self._batches: Final = _batches_of(chunk.data)
        # The read may have begun inside a batch.
        self.first: Final = min([first, *(batch.base_offset for batch in self._batches[:1])])
        self._ends: Final = [batch.next_offset for batch in self._batches]
        self.size_bytes: Final = (
            len(chunk.data)
            + _BATCH_BYTES * (len(self._batches) + 1)
            + _RECORD_BYTES * chunk.record_count
        )

    def find(self, offset: int) -> Batch | None:
        """The batch that holds an offset, or else the first one behind it, if there is one."""
        number = bisect_right(self._ends, offset)
        return self._batches[number] if number < len(self._batches) else None

    @property
    def is_heavy(self) -> bool:
        """Whether find_ttls() may take longer than a turn of an event loop should."""
        return any(batch.may_expire and is_heavy(batch.body) for batch in self._batches)

    def find_ttls(self) -> None:
        """Decode all times to live now, not when they are needed. Raises BatchError."""
        for batch in self._batches:
            if batch.may_expire:
                _ = batch.ttls


def _batches_of(data: memoryview) -> list[Batch]:
    """Those with records: marks are of no use to who takes single records."""
    batches, position = [], 0
    while position < len(data):
        batch = Batch(data, position)
        position = batch.stop
        if batch.next_offset > batch.base_offset:
            batches.append(batch)
    return batches
