"""Reading a log: from the disk's bytes to checked batches, with nothing done per record."""

from typing import Final, NamedTuple

from tapemq.batch import HEADER_BYTES, BatchError, LogId, decode_header
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.errors import OffsetOutOfRange
from tapemq_broker.storage.record_log import Chunk
from tapemq_broker.storage.segment import Segment
from tapemq_broker.storage.segment_reader import SegmentReader, WouldWait

BATCHES_MAX: Final = 512
"""Most batches in a chunk: small ones cost 5 µs each, so a chunk takes at most 3 ms."""

_NOTHING: Final = memoryview(b"")


class Cursor(NamedTuple):
    """Where a chunk ended: its hint. ``batch_bytes`` is the size of the next batch, if known."""

    segment: Segment
    position: int
    end: LogEnd
    batch_bytes: int


class Range(NamedTuple):
    """What is asked for."""

    log_id: LogId
    offset: int
    upto: int
    max_bytes: int
    max_records: int


class ReadPlan:
    """A read of one segment that is ready to run, in any thread."""

    __slots__ = ("_asked", "_cursor", "_reader")

    def __init__(self, reader: SegmentReader, asked: Range, cursor: Cursor | None) -> None:
        self._reader: Final = reader
        self._asked: Final = asked
        self._cursor: Final = cursor

    def run(self, wait: bool) -> Chunk | None:
        """Read and check; see the log seam."""
        asked = self._asked
        if asked.offset >= asked.upto:
            return Chunk(_NOTHING, 0, asked.offset, self._cursor)
        try:
            return self._run(wait)
        except WouldWait:
            return None
        except FileNotFoundError as error:
            raise OffsetOutOfRange(asked.offset, self._reader.next_offset, asked.upto) from error

    def _run(self, wait: bool) -> Chunk:
        reader, cursor, asked = self._reader, self._cursor, self._asked
        size_bytes = max(asked.max_bytes, HEADER_BYTES)
        if cursor is None:
            position, end = reader.position_of(asked.offset, wait), None
        else:
            position, end = cursor.position, cursor.end
            size_bytes = max(size_bytes, cursor.batch_bytes)
        while True:
            # With one header more the next chunk knows how much it must read at least.
            data = reader.read(position, size_bytes + HEADER_BYTES, wait)
            taken = _Taken(asked, end)
            problem = taken.take(data, size_bytes)
            at = position + taken.size_bytes
            at_offset = asked.offset if taken.end is None else taken.end.next_offset
            if (
                taken.end is not None
                and at_offset > asked.offset
                and (taken.record_count or problem)
            ):
                cursor = Cursor(reader.segment, at, taken.end, taken.next_bytes)
                taken_data = data[: taken.size_bytes]
                return Chunk(taken_data, taken.record_count, at_offset, cursor)
            if problem:
                raise reader.damage(at, asked.offset, problem)
            if taken.is_past:
                # A repair left a hole here, up to where the wish ends: marks may come behind it.
                return Chunk(_NOTHING, 0, asked.upto, None)
            if taken.next_bytes == 0:
                if not taken.size_bytes:
                    raise ValueError(f"reading up to {asked.upto}, which is inside a batch")
                position, end = at, taken.end  # as many marks as are looked at together
                continue
            # Only marks, or a part of a large batch: read on until a record is there.
            size_bytes = taken.size_bytes + taken.next_bytes
            if position + size_bytes > reader.size_bytes:
                return self._end_of_segment(at)

    def _end_of_segment(self, position: int) -> Chunk:
        reader, offset = self._reader, self._asked.offset
        if position == reader.size_bytes and reader.next_offset > offset:
            # A repair left a hole here, which the next segment continues.
            return Chunk(_NOTHING, 0, reader.next_offset, None)
        raise reader.damage(position, offset, "the batch is not whole")


class _Taken:
    """The batches taken from the start of some bytes, each of them checked."""

    __slots__ = ("_asked", "end", "is_past", "next_bytes", "record_count", "size_bytes")

    def __init__(self, asked: Range, end: LogEnd | None) -> None:
        self._asked: Final = asked
        self.end = end
        self.size_bytes = 0
        self.record_count = 0
        # How much more is needed for the next batch, as far as known; 0 where enough was taken.
        self.next_bytes = 0
        # The next batch begins where the wish ends, or behind that.
        self.is_past = False

    def take(self, data: memoryview, max_bytes: int) -> BatchError | None:
        """Take whole batches, at least one. Returns what is wrong with the next one, if it is."""
        try:
            for _ in range(BATCHES_MAX):
                if not self._take_one(data, max_bytes):
                    break
        except BatchError as error:
            return error
        return None

    def _take_one(self, data: memoryview, max_bytes: int) -> bool:
        if self.record_count >= self._asked.max_records:
            return False
        at = self.size_bytes
        if len(data) - at < HEADER_BYTES:
            self.next_bytes = HEADER_BYTES
            return False
        header = decode_header(data, at)
        self.is_past = header.base_offset >= self._asked.upto
        if self.is_past or header.next_offset > self._asked.upto:
            return False
        stop = at + header.batch_bytes
        if stop > len(data) or (stop > max_bytes and self.record_count > 0):
            self.next_bytes = header.batch_bytes
            return False
        body = data[at + HEADER_BYTES : stop]
        header.check_body(body)
        end = LogEnd.before(header) if self.end is None else self.end
        self.end = end.step(header, body, self._asked.log_id)
        self.size_bytes = stop
        self.record_count += min(header.record_count, header.next_offset - self._asked.offset)
        return True
