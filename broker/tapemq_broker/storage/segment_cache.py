"""Open files and loaded indexes of the segments of all logs, bounded however many there are."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Final, Generic, TypeVar
from weakref import WeakValueDictionary

from tapemq_broker.storage.disk import Disk, File
from tapemq_broker.storage.errors import NO_FILES_ERRORS
from tapemq_broker.storage.index import Index

T = TypeVar("T")

FILES_MAX: Final = 512
"""Open segments that nobody uses just now. Half of what a process may open where nobody asked
for more."""

INDEXES_MAX: Final = 64
"""Loaded indexes of full segments; 24 KiB each."""


class Recent(Generic[T]):
    """The most recently used values by key. May be used in any thread."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max: Final = entries_max
        self._entries: Final[OrderedDict[str, T]] = OrderedDict()
        self._lock: Final = Lock()

    def get(self, key: str) -> T | None:
        with self._lock:
            value = self._entries.get(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    def put(self, key: str, value: T) -> None:
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            if len(self._entries) > self._entries_max:
                self._entries.popitem(last=False)

    def drop_under(self, prefix: str) -> None:
        """Forget all whose keys begin so."""
        with self._lock:
            for key in [key for key in self._entries if key.startswith(prefix)]:
                del self._entries[key]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._entries.clear()

    def drop(self, *keys: str) -> None:
        with self._lock:
            for key in keys:
                self._entries.pop(key, None)


class SegmentCache:
    """What the logs of a disk share.

    A file that somebody still refers to is found again by its path, so that there is never more
    than one open file of a path. Whoever has not synced a file yet must go on referring to it.
    """

    def __init__(
        self, disk: Disk, *, files_max: int = FILES_MAX, indexes_max: int = INDEXES_MAX
    ) -> None:
        self.disk: Final = disk
        self.indexes: Final[Recent[Index]] = Recent(indexes_max)
        self._recent: Final[Recent[File]] = Recent(files_max)
        self._in_use: Final[WeakValueDictionary[str, File]] = WeakValueDictionary()
        self._lock: Final = Lock()

    def create(self, path: str) -> File:
        """Make a new file. Raises OSError."""
        return self._keep(self._open(path, create=True))

    def file(self, path: str) -> File:
        """The open file of a path; opens it if need be. Raises OSError."""
        return self.file_if_open(path) or self._keep(self._open(path))

    def _open(self, path: str, *, create: bool = False) -> File:
        try:
            return self.disk.open(path, create=create)
        except OSError as error:
            if error.errno not in NO_FILES_ERRORS:
                raise
            # Those that are open only to be found again are given up for it.
            self._recent.clear()
            return self.disk.open(path, create=create)

    def file_if_open(self, path: str) -> File | None:
        """The open file of a path. Never waits for the disk."""
        return self._recent.get(path) or self._in_use.get(path)

    def forget(self, paths: Sequence[str]) -> None:
        """Let go of files that are removed."""
        self._recent.drop(*paths)
        with self._lock:
            for path in paths:
                self._in_use.pop(path, None)

    def forget_directory(self, path: str) -> None:
        """Let go of what lay in a directory that was removed, and below it.

        As long as a file is open, the disk does not get its bytes back.
        """
        self._recent.drop_under(f"{path}/")
        self.indexes.drop_under(f"{path}/")

    def _keep(self, file: File) -> File:
        # Opening is not under the lock, because it may wait for the disk. Of two threads that
        # open the same file, the second one takes the first one's.
        with self._lock:
            kept = self._in_use.setdefault(file.path, file)
        self._recent.put(kept.path, kept)
        return kept
