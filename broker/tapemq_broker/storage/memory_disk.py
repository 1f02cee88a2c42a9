"""A disk in memory, which can lose power, and fail to sync as Linux does.

It keeps what a power cut may take away apart from what it may not: for each file the synced bytes
and the writes since, for each directory the synced names and the changes since. power_cut() takes
all of it away; a simulation overrides ``surviving_writes`` and ``surviving_names`` to keep a part.

A sync that fails leaves bytes behind that read as they were written, that no later sync brings to
the disk, and that are gone after a power cut, or, after evict(), at once. Writing into the same
blocks does not help (on ext4, such a block may be one that reads as zeros after all); rewrite()
does, because it drops them from the page cache first.
"""

import errno
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from tapemq_broker.storage.disk import Buffer, File
from tapemq_broker.storage.memory_tree import (
    Directory,
    FileBytes,
    NameChange,
    Write,
    blocks_of,
)

Post = Callable[[Callable[[], None]], object]

_ROOMY_BYTES: Final = 1 << 40


class MemoryFile:
    """A handle of a file in memory. Dead after a power cut."""

    def __init__(self, path: str, content: FileBytes, new_in: Directory | None) -> None:
        self.path: Final = path
        self.content: Final = content
        # Where the name must be made durable by the first sync; None for a file that was there.
        self.new_in = new_in

    @property
    def size_bytes(self) -> int:
        return len(self.content.now)

    def append(self, buffers: Sequence[Buffer]) -> None:
        self.content.write(self.size_bytes, b"".join(buffers))

    def rewrite(self, position: int, data: Buffer) -> None:
        if position + len(data) > self.size_bytes:
            raise ValueError(f"{self.path} has {self.size_bytes} bytes: nothing to write again")
        self.content.evict(blocks_of(position, len(data)))
        self.content.write(position, bytes(data))

    def drop_cache(self) -> None:
        self.content.evict(set(self.content.forgotten))

    def read(self, position: int, size_bytes: int) -> bytes:
        return bytes(self.content.now[position : position + size_bytes])

    def read_nowait(self, position: int, size_bytes: int) -> bytes | None:
        return self.read(position, size_bytes)

    def truncate(self, size_bytes: int) -> None:
        self.content.truncate(size_bytes)

    def close(self) -> None:
        pass


class MemoryDisk:
    """A data directory in memory.

    ``post`` says where ``done`` of a sync runs; by default it waits in ``posted``.
    """

    def __init__(self, *, post: Post | None = None) -> None:
        self.posted: Final[deque[Callable[[], None]]] = deque()
        self._post: Final[Post] = post or self.posted.append
        self._root: Final = Directory()
        self._power_cuts = 0
        self._is_locked = False

    def surviving_writes(self, path: str, pending: Sequence[Write]) -> Sequence[Write]:
        """What a power cut leaves of the unsynced writes of a file; they are applied in order."""
        return ()

    def surviving_names(self, path: str, pending: Sequence[NameChange]) -> Sequence[NameChange]:
        """What a power cut leaves of the unsynced changes of names in a directory."""
        return ()

    def evicted_blocks(self, path: str, forgotten: set[int]) -> Iterable[int]:
        """Which of a file's forgotten blocks the page cache drops."""
        return forgotten

    def evict(self) -> None:
        """Drop from the page cache what failed syncs have left there."""
        for path, content in self._root.files(""):
            content.evict(self.evicted_blocks(path, set(content.forgotten)))

    def power_cut(self) -> None:
        """Lose what was not synced. Open files are dead; what was posted must not run any more."""
        self._power_cuts += 1
        self._is_locked = False
        self.posted.clear()
        self._root.power_cut("", self.surviving_names, self.surviving_writes)

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        parent, name = self._parent(path)
        if create:
            if name in parent.now:
                raise FileExistsError(errno.EEXIST, "the file exists", path)
            parent.change(NameChange(name, FileBytes()))
        entry = parent.now.get(name)
        if not isinstance(entry, FileBytes):
            raise FileNotFoundError(errno.ENOENT, "no such file", path)
        return MemoryFile(path, entry, parent if create else None)

    def sync(self, files: Sequence[File], done: Callable[[Exception | None], None]) -> None:
        # What is written between this call and the end of the sync is not covered by it.
        covered = [(_own(file), len(_own(file).content.pending)) for file in files]
        power_cuts = self._power_cuts

        def finish() -> None:
            if self._power_cuts == power_cuts:
                for file, count in covered:
                    self._sync(file, count)
                done(None)

        self._post(finish)

    def fail_sync(self, files: Sequence[File], done: Callable[[Exception | None], None]) -> None:
        """Like sync(), but it fails: ``surviving_writes`` says what reaches the disk all the same.

        Names of new files stay as they are, to be synced with their directory.
        """
        covered = [(_own(file), list(_own(file).content.pending)) for file in files]
        power_cuts = self._power_cuts

        def finish() -> None:
            if self._power_cuts == power_cuts:
                for file, writes in covered:
                    file.content.fail_sync(writes, partial(self.surviving_writes, file.path))
                done(OSError(errno.EIO, "Input/output error"))

        self._post(finish)

    def fail_sync_now(self, file: File) -> None:
        """Like fail_sync(), and raise what it says."""
        content = _own(file).content
        content.fail_sync(list(content.pending), partial(self.surviving_writes, file.path))
        raise OSError(errno.EIO, "Input/output error", file.path)

    def sync_now(self, file: File) -> None:
        self._sync(_own(file), len(_own(file).content.pending))

    def _sync(self, file: MemoryFile, count: int) -> None:
        file.content.sync(count)
        if file.new_in is not None:
            file.new_in.sync_name(file.path.rpartition("/")[2])
            file.new_in = None

    def sync_directory(self, path: str) -> None:
        self._directory(path).sync()

    def list_directory(self, path: str) -> list[str]:
        try:
            # A copy, made at once: files of deleted topics are removed by a thread meanwhile.
            names = list(self._directory(path).now.items())
        except FileNotFoundError:
            return []
        return sorted(f"{name}/" if isinstance(entry, Directory) else name for name, entry in names)

    def make_directory(self, path: str) -> None:
        self._root.make(path.split("/") if path else [])

    def read_file(self, path: str) -> bytes | None:
        try:
            return bytes(self.open(path).content.now)
        except FileNotFoundError:
            return None

    def replace_file(self, path: str, data: bytes, *, durable: bool = True) -> None:
        parent, name = self._parent(path)
        content = FileBytes()
        content.write(0, data)
        if durable:
            content.sync(len(content.pending))
        parent.change(NameChange(name, content))
        if durable:
            parent.sync()

    def rename(self, source: str, target: str) -> None:
        parent, name = self._parent(source)
        if name not in parent.now:
            raise FileNotFoundError(errno.ENOENT, "no such file", source)
        new_name = target.rpartition("/")[2]
        parent.change(NameChange(new_name, parent.now[name], old_name=name))

    def remove(self, path: str) -> None:
        try:
            parent, name = self._parent(path)
        except FileNotFoundError:
            return
        entry = parent.now.get(name)
        if isinstance(entry, Directory) and entry.now:
            raise OSError(errno.ENOTEMPTY, "the directory is not empty", path)
        if entry is not None:
            parent.change(NameChange(name, None))

    def discard(self, paths: Sequence[str]) -> None:
        for path in paths:
            self.remove(path)
            parent, name = self._parent(path)
            parent.sync_name(name)

    def size_bytes(self, path: str) -> int | None:
        try:
            return self.open(path).size_bytes
        except FileNotFoundError:
            return None

    def free_bytes(self) -> int:
        return _ROOMY_BYTES

    def total_bytes(self) -> int:
        return _ROOMY_BYTES

    def lock(self) -> None:
        if self._is_locked:
            raise BlockingIOError(errno.EWOULDBLOCK, "the data directory is locked")
        self._is_locked = True

    def close(self) -> None:
        self._is_locked = False

    def _directory(self, path: str) -> Directory:
        return self._root.find(path.split("/") if path else [])

    def _parent(self, path: str) -> tuple[Directory, str]:
        folder, _, name = path.rpartition("/")
        return self._directory(folder), name


def _own(file: File) -> MemoryFile:
    if not isinstance(file, MemoryFile):
        raise TypeError(f"{file.path} was opened by another disk")
    return file
