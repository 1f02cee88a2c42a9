"""One segment of a log: a file of batches, named by the offset of its first record."""

import errno
from collections.abc import Sequence
from typing import Final

from tapemq.batch import Header
from tapemq_broker.storage.disk import Buffer, File
from tapemq_broker.storage.errors import NO_FILES_ERRORS, LogFailed, LogFull, NoFiles
from tapemq_broker.storage.index import Index
from tapemq_broker.storage.paths import segment_path
from tapemq_broker.storage.record_log import SegmentInfo
from tapemq_broker.storage.segment_cache import SegmentCache

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Segment:
    """What is known of a segment in memory: little, for a log may have thousands.

    ``index`` is None once it rests in a file. ``last_position`` is where the last batch starts.
    ``changes``: how often the file was made, written to or cut back. ``is_removed``: retention has
    let it go, so nobody shall keep its file open.
    """

    __slots__ = (
        "_held",
        "_synced",
        "base_offset",
        "changes",
        "index",
        "is_removed",
        "last_append_time_us",
        "last_position",
        "next_offset",
        "path",
        "size_bytes",
    )

    def __init__(self, directory: str, base_offset: int, append_time_us: int) -> None:
        self.path: Final = segment_path(directory, base_offset)
        self.base_offset: Final = base_offset
        self.next_offset = base_offset
        self.size_bytes = 0
        self.last_append_time_us = append_time_us
        self.last_position = 0
        self.index: Index | None = None
        self.changes = 0
        self.is_removed = False
        self._synced = 0
        # Keeps the file open. A failed write-back is only reported to who had the file open.
        self._held: File | None = None

    @property
    def is_dirty(self) -> bool:
        """Whether something may not be on disk: bytes, the name, or that bytes are gone again."""
        return self.changes != self._synced

    @property
    def index_path(self) -> str:
        """Where the index rests once the segment is sealed."""
        return f"{self.path[:-4]}.index"

    @property
    def all_paths(self) -> tuple[str, str, str]:
        """The caches that may belong to the segment, and the segment itself."""
        stem = self.path[:-4]
        return f"{stem}.index", f"{stem}.state", self.path

    def info(self) -> SegmentInfo:
        """The segment as others see it."""
        return SegmentInfo(
            self.base_offset, self.next_offset, self.size_bytes, self.last_append_time_us
        )

    def create(self, cache: SegmentCache) -> None:
        """Make the file. Raises LogFull (NoFiles), LogFailed."""
        try:
            self._held = cache.create(self.path)
        except OSError as error:
            raise _failure(f"{self.path} cannot be made", error) from error
        self.changes += 1
        self.index = Index()

    def append(self, cache: SegmentCache, header: Header, buffers: Sequence[Buffer]) -> None:
        """Write a batch at the end. Raises LogFull (NoFiles), LogFailed."""
        file = self.hold(cache)
        self.changes += 1
        try:
            file.append(buffers)
        except OSError as error:
            self._undo(file)
            raise _failure(f"{self.path} cannot be written", error) from error
        self.last_position = self.size_bytes
        self.size_bytes += header.batch_bytes
        self.next_offset = header.next_offset
        self.last_append_time_us = header.append_time_us

    def hold(self, cache: SegmentCache) -> File:
        """The open file, kept open until release(). Raises NoFiles, LogFailed."""
        if self._held is None:
            try:
                file = cache.file(self.path)
            except OSError as error:
                raise _failure(f"{self.path} cannot be opened", error) from error
            if file.size_bytes != self.size_bytes:
                raise LogFailed(
                    f"{self.path} has {file.size_bytes} bytes where {self.size_bytes} were "
                    "written: something else changes the data directory"
                )
            self._held = file
        return self._held

    def mark_synced(self, changes: int) -> None:
        """Take note that the first so many ``changes`` are on disk."""
        self._synced = changes
        if not self.is_dirty:
            self.release()

    def release(self) -> None:
        """Let the file be closed when too many are open."""
        self._held = None

    def _undo(self, file: File) -> None:
        try:
            file.truncate(self.size_bytes)
        except OSError as error:
            raise LogFailed(
                f"{self.path} cannot be cut back to {self.size_bytes} bytes after a failed "
                f"write: {error}"
            ) from error


def _failure(what: str, error: OSError) -> LogFull | LogFailed:
    kind: type[LogFull | LogFailed] = LogFull if error.errno in _FULL else LogFailed
    if error.errno in NO_FILES_ERRORS:
        kind = NoFiles
    return kind(f"{what}: {error}")
