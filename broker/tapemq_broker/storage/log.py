"""A log in files: the log seam on a disk.

Appending is one write. Nothing here waits for a sync: what is not on disk yet is handed to the
flusher (begin_sync, mark_durable). A segment that is full stays in reach until a sync round that
began after the roll has returned; then it is sealed: its index and the observer's state are
written. Only then can the next roll begin, so a crash never leaves more than the last two
segments in doubt, nor a gap between their names.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from tapemq.batch import BODY_BYTES_MAX, COUNT_MAX, HEADER_BYTES, Header, LogId
from tapemq_broker.storage.appending import MARK, follow
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.disk import Disk, File
from tapemq_broker.storage.errors import LogFailed, LogFull, OffsetOutOfRange
from tapemq_broker.storage.index import Index
from tapemq_broker.storage.observer import Observer
from tapemq_broker.storage.opening import Claims, Opened, open_log
from tapemq_broker.storage.reading import Cursor, Range, ReadPlan
from tapemq_broker.storage.record_log import RECORDS_MAX, LogSettings, NewBatch, SegmentInfo
from tapemq_broker.storage.sealing import Ending
from tapemq_broker.storage.segment import Segment
from tapemq_broker.storage.segment_cache import SegmentCache
from tapemq_broker.storage.segment_reader import SegmentReader
from tapemq_broker.storage.side_files import SideFiles

_DEFAULT_SETTINGS: Final = LogSettings()


class SyncTarget(NamedTuple):
    """What one sync round covers of a log."""

    files: list[File]
    end: LogEnd
    changes: list[tuple[Segment, int]]
    rolled: Ending | None


class Log:
    """An append-only log in a directory. All methods but offset_at() belong to one thread."""

    def __init__(
        self,
        cache: SegmentCache,
        directory: str,
        log_id: LogId,
        settings: LogSettings,
        observer: Observer | None,
        opened: Opened,
    ) -> None:
        self.log_id: Final = log_id
        self.directory: Final = directory
        self.recovered: Final = opened.recovered
        self._cache: Final = cache
        self._settings = settings
        # Who derives state from the batches. May be given later to a log that is still empty.
        self.observer = observer
        self._segments: Final[list[Segment]] = opened.segments
        self._end: LogEnd = opened.recovered.end
        self._durable: LogEnd = self._end
        self._size_bytes = sum(segment.size_bytes for segment in self._segments)
        # The segment before the last one, until it is sealed.
        self._rolled: Ending | None = None
        self._side_files: Final = SideFiles(cache, directory, log_id, opened.states)
        # The last batch with records, and below which batch number the log itself says durable.
        self._last_batch = -1
        self._covered_batch = self._end.next_batch
        self._failure: str | None = None

    @classmethod
    def open(
        cls,
        disk: Disk,
        directory: str,
        log_id: LogId,
        *,
        settings: LogSettings = _DEFAULT_SETTINGS,
        observer: Observer | None = None,
        clean: CleanEntry | None = None,
        durable_floor: int = 0,
        now_us: int,
        must_exist: bool = False,
        cache: SegmentCache | None = None,
    ) -> "Log":
        """Recover a log, or make a new one.

        ``clean`` is what the last clean stop noted about it; every offset below ``durable_floor``
        is known to have been on disk; ``must_exist``: the log is known to have been made.
        ``cache`` is shared by all logs of the disk. Blocks. Raises LogRefused, CorruptLog if the
        observer's state needs bytes that are damaged, and OSError if the disk fails.
        """
        cache = cache or SegmentCache(disk)
        opened = open_log(
            cache,
            directory,
            log_id,
            observer,
            settings.index_interval_bytes,
            Claims(clean, durable_floor, must_exist),
            now_us,
        )
        return cls(cache, directory, log_id, settings, observer, opened)

    @property
    def first_offset(self) -> int:
        return self._segments[0].base_offset

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
        return self._size_bytes

    @property
    def last_append_time_us(self) -> int:
        return self._end.last_append_time_us

    @property
    def segment_begun_us(self) -> int | None:
        index = self._segments[-1].index
        return index.begun_us if index is not None else None

    @property
    def is_dirty(self) -> bool:
        """Whether anything is not known to be on disk."""
        return self._durable.next_batch != self._end.next_batch or self._rolled is not None

    @property
    def has_unsynced_caches(self) -> bool:
        """Whether a round should begin for what sealing has written: retention waits for it."""
        return self._side_files.are_unsynced

    def resize_segments(self, segment_bytes: int) -> None:
        """Roll at another size from now on. What is written stays as it is."""
        self._settings = self._settings._replace(segment_bytes=segment_bytes)

    def append(self, batch: NewBatch, now_us: int) -> int:
        """Append a batch; see the log seam."""
        size_bytes = len(batch.body)
        if size_bytes > BODY_BYTES_MAX or not 0 < batch.record_count <= COUNT_MAX:
            raise ValueError(f"a batch of {batch.record_count} records in {size_bytes} bytes")
        room_bytes = self._settings.segment_bytes - self._segments[-1].size_bytes
        if HEADER_BYTES + size_bytes > room_bytes:
            self.roll()
        header = self._write(batch, now_us)
        self._last_batch = header.batch_number
        return header.base_offset

    def mark(self, now_us: int) -> None:
        """Prove that the last batch was durable; see the log seam."""
        if self.is_dirty:
            return
        if self._covered_batch <= self._last_batch:
            self._write(MARK, now_us)
            # Idle logs must not hold their files open, and nobody waits for this batch.
            self._segments[-1].release()
        if self.observer is None:
            # Nor these. They are brought to the disk by the system, or else made anew; what an
            # observer knows cannot be once its segment is removed, so that waits for its round.
            self._side_files.forget()

    def _write(self, batch: NewBatch, now_us: int) -> Header:
        self._check_alive()
        segment = self._segments[-1]
        position = segment.size_bytes
        new = follow(self._end, self._durable, self.log_id, batch, now_us)
        try:
            segment.append(self._cache, new.header, (new.head, batch.body))
        except LogFailed as error:
            self._failure = str(error)
            raise
        self._end = new.end
        self._covered_batch = self._durable.next_batch
        self._size_bytes += segment.size_bytes - position
        if segment.index is not None:
            segment.index.add(new.header, position, self._settings.index_interval_bytes)
        return new.header

    def _check_alive(self) -> None:
        if self._failure is not None:
            raise LogFailed(self._failure)

    def roll(self) -> bool:
        """Begin a new segment; see the log seam."""
        self._check_alive()
        last = self._segments[-1]
        if self._rolled is not None or last.next_offset == last.base_offset:
            return False
        segment = Segment(self.directory, self.next_offset, self.last_append_time_us)
        try:
            if last.is_dirty:
                last.hold(self._cache)  # a mark has let go of it, and the next round syncs it
            segment.create(self._cache)
        except LogFailed as error:
            self._failure = str(error)
            raise
        state = self.observer.snapshot() if self.observer else None
        self._rolled = Ending(last, self._end, state)
        self._segments.append(segment)
        return True

    def begin_sync(self) -> SyncTarget:
        """What a sync round that starts now must sync. Raises LogFailed."""
        dirty = [segment for segment in self._segments[-2:] if segment.is_dirty]
        files = [segment.hold(self._cache) for segment in dirty] + self._side_files.begin_sync()
        changes = [(segment, segment.changes) for segment in dirty]
        return SyncTarget(files, self._end, changes, self._rolled)

    def mark_durable(self, target: SyncTarget) -> None:
        """Take note that a sync round has succeeded."""
        self._durable = target.end
        self._side_files.mark_synced()
        for segment, changes in target.changes:
            segment.mark_synced(changes)
        # A round that began before the roll does not cover the end of the segment.
        if self._rolled is not None and target.rolled is self._rolled:
            segment = self._rolled.segment
            index, segment.index = segment.index, None
            self._side_files.seal(self._rolled, index)
            self._rolled = None

    def plan(
        self,
        offset: int,
        *,
        upto: int,
        max_bytes: int,
        max_records: int = RECORDS_MAX,
        hint: object = None,
    ) -> ReadPlan:
        """A read; see the log seam."""
        if not self.first_offset <= offset <= upto <= self.next_offset:
            raise OffsetOutOfRange(offset, self.first_offset, min(upto, self.next_offset))
        segment = self._segment_of(offset)
        cursor = hint if isinstance(hint, Cursor) and hint.end.next_offset == offset else None
        if cursor is not None and cursor.segment is not segment:
            cursor = None  # the segment has ended meanwhile, or it is that of another log
        reader = SegmentReader(self._cache, self.log_id, segment)
        return ReadPlan(reader, Range(self.log_id, offset, upto, max_bytes, max_records), cursor)

    def _segment_of(self, offset: int) -> Segment:
        number = bisect_right(self._segments, offset, key=lambda segment: segment.base_offset)
        return self._segments[number - 1]

    def offset_at(self, time_us: int) -> int:
        """The first offset appended at a time or later; see the log seam."""
        # Before all else: what is appended meanwhile, by the log's own thread, is not behind it.
        next_offset = self.next_offset
        segments = list(self._segments)
        number = bisect_left(segments, time_us, key=lambda segment: segment.last_append_time_us)
        if number == len(segments):
            return next_offset
        try:
            return SegmentReader(self._cache, self.log_id, segments[number]).offset_at(time_us)
        except FileNotFoundError:
            return self.first_offset

    def truncate_front(self, offset: int) -> None:
        """Remove whole segments below an offset; see the log seam."""
        self._side_files.write_missing()
        keep = 0
        while self._is_removable(keep, offset):
            keep += 1
        removed = self._segments[:keep]
        del self._segments[:keep]
        if removed:
            self._size_bytes -= sum(segment.size_bytes for segment in removed)
            for segment in removed:
                segment.is_removed = True  # before they are forgotten: see SegmentReader
            self._cache.forget([segment.path for segment in removed])
            self._cache.indexes.drop(*[segment.index_path for segment in removed])
            # Caches first, so that none is left behind when the process ends meanwhile.
            self._cache.disk.discard([path for segment in removed for path in segment.all_paths])

    def _is_removable(self, number: int, offset: int) -> bool:
        if number == len(self._segments) - 1 or self._segments[number].next_offset > offset:
            return False
        next_base = self._segments[number + 1].base_offset
        if self.observer and self._side_files.state_offset < next_base:
            return False  # it alone says what the observer knows of it
        # A batch must be left on disk: nothing else says where the log goes on.
        return self.durable_offset > next_base

    def segments(self) -> list[SegmentInfo]:
        """All segments, oldest first."""
        return [segment.info() for segment in self._segments]

    def landmarks(self, covering_bytes: int, *, wait: bool) -> Iterator[tuple[int, int]]:
        """Offsets and bytes; see the log seam."""
        covered = 0
        number = len(self._segments)
        while number > 0 and covered < covering_bytes:
            number -= 1
            covered += self._segments[number].size_bytes
        start = 0
        for segment in self._segments[number:]:
            yield segment.base_offset, start
            for entry in SegmentReader(self._cache, self.log_id, segment).entries(wait):
                yield entry.offset, start + entry.position
            start += segment.size_bytes
        yield self.next_offset, start

    def close(self, *, clean: bool, now_us: int) -> CleanEntry | None:
        """Let go of the files; see the log seam."""
        entry = self._close_cleanly(now_us) if clean and self._failure is None else None
        self._failure = self._failure or f"{self.directory} is closed"
        for segment in self._segments:
            segment.release()
        return entry

    def _close_cleanly(self, now_us: int) -> CleanEntry:
        self._sync_now()
        with suppress(LogFull):
            self.mark(now_us)
        self._sync_now()  # also that half of it was cut off again, and what the first has sealed
        last = self._segments[-1]
        state = self.observer.snapshot() if self.observer else None
        self._side_files.write_end(Ending(last, self._end, state), last.index or Index())
        return CleanEntry(
            self.log_id, self.first_offset, last.base_offset, last.size_bytes, *self._end
        )

    def _sync_now(self) -> None:
        is_dirty = self.is_dirty or self._side_files.are_unsynced
        if is_dirty or any(segment.is_dirty for segment in self._segments[-2:]):
            target = self.begin_sync()
            for file in target.files:
                self._cache.disk.sync_now(file)
            self.mark_durable(target)
