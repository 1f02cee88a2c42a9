"""Reading one segment: bytes, headers, and the place of an offset or a time."""

from collections.abc import Callable, Iterator
from typing import Final

from tapemq.batch import HEADER_BYTES, BatchError, Header, Kind, LogId, decode_header
from tapemq_broker.storage.disk import File
from tapemq_broker.storage.errors import CorruptLog
from tapemq_broker.storage.index import START, Entry, Index
from tapemq_broker.storage.segment import Segment
from tapemq_broker.storage.segment_cache import SegmentCache

QUICK_BYTES_MAX: Final = 2 * 1024 * 1024 + HEADER_BYTES
"""Most bytes read at a time by who may not wait: reading and checking takes about 1 ms."""

_SEEK_BYTES: Final = 128 * 1024
_REBUILT_INTERVAL_BYTES: Final = 64 * 1024


class WouldWait(Exception):
    """Reading on would take longer than the caller has."""


class SegmentReader:
    """A segment as far as it was written when the reader was made.

    May be used in any thread. With ``wait`` False, its methods raise WouldWait where they would
    have to wait for the disk. All raise FileNotFoundError once retention has removed the segment,
    OSError if the disk fails, and CorruptLog.
    """

    __slots__ = ("_cache", "_index", "_log_id", "next_offset", "segment", "size_bytes")

    def __init__(self, cache: SegmentCache, log_id: LogId, segment: Segment) -> None:
        self.segment: Final = segment
        # In this order: where the log's own thread appends meanwhile, all below is in the bytes.
        self.next_offset: Final = segment.next_offset
        self.size_bytes: Final = segment.size_bytes
        self._index: Final = segment.index
        self._cache: Final = cache
        self._log_id: Final = log_id

    def read(self, position: int, size_bytes: int, wait: bool) -> memoryview:
        """Bytes from ``position``, fewer only at the end."""
        size_bytes = min(size_bytes, self.size_bytes - position)
        if wait:
            data = self._file().read(position, size_bytes)
        else:
            data = self._read_quickly(position, size_bytes)
        if len(data) < size_bytes:
            raise self.damage(position, 0, "the end of the file is missing")
        return memoryview(data)

    def _file(self) -> File:
        file = self._cache.file(self.segment.path)
        if self.segment.is_removed:
            # Another thread has let go of it meanwhile. As long as it is open, the disk does not
            # get its bytes back.
            self._cache.forget([self.segment.path])
        return file

    def _read_quickly(self, position: int, size_bytes: int) -> "bytes | bytearray | memoryview":
        file = self._cache.file_if_open(self.segment.path)
        if file is None or size_bytes > QUICK_BYTES_MAX:
            raise WouldWait
        data = file.read_nowait(position, size_bytes)
        if data is None:
            raise WouldWait
        return data

    def position_of(self, offset: int, wait: bool) -> int:
        """Where the first batch starts that ends behind ``offset``.

        size_bytes if none does: there is nothing yet, or a repair left a hole.
        """
        last: Header | None = None

        def ends_behind(header: Header) -> bool:
            nonlocal last
            if header.next_offset > offset:
                return True
            last = header
            return False

        start = self.load_index(wait).find(offset)
        position, found = self.seek(start, ends_behind, wait)
        is_hole = last is not None and last.kind is Kind.GAP
        if found is None and offset < self.next_offset and not is_hole:
            raise self.damage(position, offset, "the batch with this offset is missing")
        return position

    def offset_at(self, time_us: int) -> int:
        """The first offset appended at ``time_us`` or later; next_offset if there is none."""
        start = self.load_index(wait=True).find_time(time_us)
        _, header = self.seek(
            start,
            lambda header: header.append_time_us >= time_us and header.record_count > 0,
            wait=True,
        )
        return header.base_offset if header else self.next_offset

    def seek(
        self, start: Entry, found: Callable[[Header], bool], wait: bool
    ) -> tuple[int, Header | None]:
        """The first batch from ``start`` on for which ``found`` says so, by headers alone."""
        position, offset = start.position, max(start.offset, self.segment.base_offset)
        is_gap = False
        while position < self.size_bytes:
            block = self.read(position, _SEEK_BYTES, wait)
            at = 0
            while at == 0 or len(block) - at >= HEADER_BYTES:
                header = self._header(block, at, position, offset)
                if header.base_offset != offset and not is_gap:
                    reason = f"a batch with base offset {header.base_offset} does not belong here"
                    raise self.damage(position + at, offset, reason)
                if found(header):
                    return position + at, header
                at += header.batch_bytes
                offset = header.next_offset
                is_gap = header.kind is Kind.GAP
            position += at
        return self.size_bytes, None

    def _header(self, block: memoryview, at: int, position: int, offset: int) -> Header:
        try:
            header = decode_header(block, at)
        except BatchError as error:
            raise self.damage(position + at, offset, error) from error
        if header.log_id != self._log_id or position + at + header.batch_bytes > self.size_bytes:
            reason = f"batch {header.batch_number} of log {header.log_id} does not belong here"
            raise self.damage(position + at, offset, reason)
        return header

    def damage(self, position: int, offset: int, reason: object) -> CorruptLog:
        """The error for a bad batch at ``position``, where ``offset`` should be or later ones."""
        offset = max(offset, self.segment.base_offset)
        return CorruptLog(
            self.segment.path, position, offset, max(offset, self.next_offset), str(reason)
        )

    def entries(self, wait: bool) -> Iterator[Entry]:
        """Places where batches begin; none if finding them would take long, and not ``wait``."""
        try:
            return self.load_index(wait).entries()
        except WouldWait:
            return iter(())

    def load_index(self, wait: bool) -> Index:
        """The index; read from its file, or made anew where that is missing or damaged."""
        path = self.segment.index_path
        index = self._index or self._cache.indexes.get(path)
        if index is None:
            if not wait:
                raise WouldWait
            index = self._read_index(path) or self._rebuild_index()
            self._cache.indexes.put(path, index)
        return index

    def _read_index(self, path: str) -> Index | None:
        try:
            data = self._cache.disk.read_file(path)
        except OSError:  # It is a cache: the segment itself is asked.
            return None
        decoded = Index.decode(data or b"")
        if decoded is None:
            return None
        seal, index = decoded
        fits = seal.log_id == self._log_id and seal.base_offset == self.segment.base_offset
        return index if fits and seal.size_bytes <= self.size_bytes else None

    def _rebuild_index(self) -> Index:
        """Walk through the headers; up to the first bad one, if there is one."""
        index = Index()
        position = 0

        def take(header: Header) -> bool:
            nonlocal position
            index.add(header, position, _REBUILT_INTERVAL_BYTES)
            position += header.batch_bytes
            return False

        try:
            self.seek(START, take, wait=True)
        except CorruptLog:
            return index
        return index
