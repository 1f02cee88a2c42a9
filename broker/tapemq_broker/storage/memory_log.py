"""A log in memory: the log seam without files, for what is above it and needs no disk."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from tapemq.batch import HEADER_BYTES, Header, LogId
from tapemq_broker.storage.appending import MARK, Follower, follow
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.disk import File
from tapemq_broker.storage.errors import LogFailed, OffsetOutOfRange
from tapemq_broker.storage.record_log import RECORDS_MAX, Chunk, LogSettings, NewBatch, SegmentInfo

_DEFAULT_SETTINGS: Final = LogSettings()


class Stored(NamedTuple):
    """A batch."""

    header: Header
    data: bytes


class MemorySyncTarget(NamedTuple):
    """What a sync round covers: no file."""

    files: tuple[File, ...]
    end: LogEnd


class MemoryPlan(NamedTuple):
    """A read of some batches."""

    batches: list[Stored]
    offset: int
    upto: int
    max_bytes: int
    max_records: int

    def run(self, wait: bool) -> Chunk | None:
        """Never waits."""
        taken: list[bytes] = []
        size_bytes = record_count = 0
        next_offset = self.offset
        for header, data in self.batches:
            is_full = record_count > 0 and (
                size_bytes + len(data) > self.max_bytes or record_count >= self.max_records
            )
            if is_full or next_offset >= self.upto or header.next_offset > self.upto:
                break
            taken.append(data)
            size_bytes += len(data)
            next_offset = header.next_offset
            record_count += min(header.record_count, next_offset - self.offset)
        return Chunk(memoryview(b"".join(taken)), record_count, next_offset, None)


class MemoryLog:
    """A log that is gone with the process."""

    def __init__(self, log_id: LogId, *, settings: LogSettings = _DEFAULT_SETTINGS) -> None:
        self.log_id: Final = log_id
        self._settings: Final = settings
        self._segments: Final[list[list[Stored]]] = [[]]
        self._bases: Final = [0]
        self._end = LogEnd()
        self._durable = LogEnd()
        self._last_batch = -1
        self._covered_batch = 0
        self._is_closed = False

    @property
    def first_offset(self) -> int:
        return self._bases[0]

    @property
    def next_offset(self) -> int:
        return self._end.next_offset

    @property
    def durable_offset(self) -> int:
        return self._durable.next_offset

    @property
    def log_epoch(self) -> int:
        return self._end.log_epoch

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self.segments())

    @property
    def last_append_time_us(self) -> int:
        return self._end.last_append_time_us

    @property
    def segment_begun_us(self) -> int | None:
        newest = self._segments[-1]
        return newest[0].header.append_time_us if newest else None

    def append(self, batch: NewBatch, now_us: int) -> int:
        """Append a batch; see the log seam."""
        size_bytes = sum(len(data) for _, data in self._segments[-1])
        if size_bytes + HEADER_BYTES + len(batch.body) > self._settings.segment_bytes:
            self.roll()
        new = self._write(batch, now_us)
        self._last_batch = new.header.batch_number
        return new.header.base_offset

    def mark(self, now_us: int) -> None:
        """Prove that the last batch was durable; see the log seam."""
        if self._covered_batch <= self._last_batch and self._durable == self._end:
            self._write(MARK, now_us)

    def _write(self, batch: NewBatch, now_us: int) -> Follower:
        self._check_open()
        new = follow(self._end, self._durable, self.log_id, batch, now_us)
        self._segments[-1].append(Stored(new.header, new.head + bytes(batch.body)))
        self._end = new.end
        self._covered_batch = self._durable.next_batch
        return new

    def _check_open(self) -> None:
        if self._is_closed:
            raise LogFailed("the log is closed")

    def roll(self) -> bool:
        """Begin a new segment; see the log seam."""
        self._check_open()
        if self._bases[-1] == self.next_offset:
            return False
        self._segments.append([])
        self._bases.append(self.next_offset)
        return True

    def begin_sync(self) -> MemorySyncTarget:
        """What a sync round that starts now covers."""
        return MemorySyncTarget((), self._end)

    def mark_durable(self, target: MemorySyncTarget) -> None:
        """Take note that a sync round has succeeded."""
        self._durable = target.end

    def plan(
        self,
        offset: int,
        *,
        upto: int,
        max_bytes: int,
        max_records: int = RECORDS_MAX,
        hint: object = None,
    ) -> MemoryPlan:
        """A read; see the log seam."""
        if not self.first_offset <= offset <= upto <= self.next_offset:
            raise OffsetOutOfRange(offset, self.first_offset, min(upto, self.next_offset))
        segment = self._segments[bisect_right(self._bases, offset) - 1]
        start = bisect_right(segment, offset, key=lambda stored: stored.header.next_offset)
        return MemoryPlan(segment[start:], offset, upto, max_bytes, max_records)

    def offset_at(self, time_us: int) -> int:
        """The first offset appended at a time or later; see the log seam."""
        headers = [stored.header for segment in self._segments for stored in segment]
        start = bisect_left(headers, time_us, key=lambda header: header.append_time_us)
        return headers[start].base_offset if start < len(headers) else self.next_offset

    def truncate_front(self, offset: int) -> None:
        """Remove whole segments below an offset; see the log seam."""
        # As a log in files, it keeps a segment with records that are durable.
        keep = bisect_right(self._bases, min(offset, self.durable_offset - 1)) - 1
        if keep > 0:
            del self._segments[:keep], self._bases[:keep]

    def segments(self) -> list[SegmentInfo]:
        """All segments, oldest first."""
        ends = [*self._bases[1:], self.next_offset]
        infos = []
        append_time_us = 0
        for base, end, batches in zip(self._bases, ends, self._segments, strict=True):
            append_time_us = batches[-1].header.append_time_us if batches else append_time_us
            size_bytes = sum(len(stored.data) for stored in batches)
            infos.append(SegmentInfo(base, end, size_bytes, append_time_us))
        return infos

    def landmarks(self, covering_bytes: int, *, wait: bool) -> Iterator[tuple[int, int]]:
        """Offsets and bytes; see the log seam."""
        byte = 0
        for header, data in (stored for segment in self._segments for stored in segment):
            yield header.base_offset, byte
            byte += len(data)
        yield self.next_offset, byte

    def close(self, *, clean: bool, now_us: int) -> CleanEntry | None:
        """Append nothing any more. There is nothing that a next start could find."""
        self._is_closed = True
        return None
