"""The real disk: the only module of storage that calls the operating system."""

import errno
import fcntl
import mmap
import os
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from tapemq_broker.storage.disk import Buffer, File
from tapemq_broker.storage.errors import SyncFailed
from tapemq_broker.storage.remover import Remover
from tapemq_broker.storage.sync_round import SyncRound
from tapemq_broker.storage.threads import MakeThreads

Post = Callable[[Callable[[], None]], object]
"""Runs a function later in another thread: ``loop.call_soon_threadsafe`` in production."""

SYNC_THREADS: Final = 16
"""How many syncs run at a time: the figures are in docs/adr/0002-group-commit.md."""

_FILE_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o700
_LOCK_NAME: Final = "LOCK"

# Not every system has these; elsewhere reads always go to a thread, syncs are full ones, and what
# the page cache holds stays there.
_NOWAIT: Final[int | None] = getattr(os, "RWF_NOWAIT", None)
_drop_pages: Final[Callable[[int, int, int, int], None] | None] = getattr(os, "posix_fadvise", None)
_sync_data: Final[Callable[[int], None]] = getattr(os, "fdatasync", os.fsync)


def _open_file(full: str, flags: int) -> int:
    """Raises OSError, for what is no file, too: opening a pipe waits for whoever writes to it, and
    a device has no end.
    """
    with suppress(FileNotFoundError):
        mode = os.stat(full).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise OSError(errno.EINVAL, "This is no regular file", full)
    return os.open(full, flags | os.O_CLOEXEC, _FILE_MODE)


def _open_directory(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _sync_directory(path: str) -> None:
    descriptor = _open_directory(path)
    try:
        _sync_names(descriptor, path)
    finally:
        os.close(descriptor)


def _sync_names(directory: int, path: str) -> None:
    try:
        os.fsync(directory)
    except OSError as error:
        raise SyncFailed(error.errno, error.strerror, path) from error


def _make_directory(full: str, root: str) -> None:
    exists = os.path.isdir(full)
    parent = os.path.dirname(full)
    if exists and len(full) <= len(root):
        return
    _make_directory(parent, root)
    if not exists:
        try:
            os.mkdir(full, _DIRECTORY_MODE)
        except FileExistsError:
            # Two topics are made at once, in threads, and this is above both of them.
            if not os.path.isdir(full):
                raise
    # Also when it exists: whoever made it may have been killed before this sync.
    _sync_directory(parent)


class OsFile:
    """A file of the operating system."""

    __slots__ = ("__weakref__", "_descriptor", "_new_in", "path", "size_bytes")

    def __init__(self, path: str, descriptor: int, new_in: int = -1) -> None:
        self.path: Final = path
        self.size_bytes = os.fstat(descriptor).st_size
        self._descriptor = descriptor
        # The directory that must be synced too before a new file is durable. It is open, so that
        # a process that has run out of open files makes no file that it cannot sync.
        self._new_in = new_in

    def append(self, buffers: Sequence[Buffer]) -> None:
        size_bytes = sum(map(len, buffers))
        written = os.pwritev(self._descriptor, buffers, self.size_bytes)
        if written != size_bytes:
            self._append_rest(b"".join(buffers), written)
        self.size_bytes += size_bytes

    def _append_rest(self, data: bytes, written: int) -> None:
        # A full disk or a file size limit cuts a write short; only the next one says why.
        while written < len(data):
            more = os.pwrite(self._descriptor, data[written:], self.size_bytes + written)
            if more == 0:
                raise OSError(errno.EIO, "the system writes nothing and does not say why")
            written += more

    def rewrite(self, position: int, data: Buffer) -> None:
        first = position - position % mmap.PAGESIZE
        last = position + len(data)
        self._drop(first, last + -last % mmap.PAGESIZE - first)
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, position)
            view, position = view[written:], position + written

    def read(self, position: int, size_bytes: int) -> bytes:
        data = os.pread(self._descriptor, size_bytes, position)
        while len(data) < size_bytes:
            more = os.pread(self._descriptor, size_bytes - len(data), position + len(data))
            if not more:
                break
            data += more
        return data

    def read_nowait(self, position: int, size_bytes: int) -> bytearray | None:
        if _NOWAIT is None:
            return None
        data = bytearray(size_bytes)
        try:
            count = os.preadv(self._descriptor, (data,), position, _NOWAIT)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
                return None
            raise
        if count < size_bytes:
            # Short in the middle of the file: the rest is not in the page cache.
            if position + count < self.size_bytes:
                return None
            del data[count:]
        return data

    def drop_cache(self) -> None:
        self._drop(0, 0)

    def _drop(self, position: int, size_bytes: int) -> None:
        if _drop_pages is not None:
            _drop_pages(self._descriptor, position, size_bytes, os.POSIX_FADV_DONTNEED)

    def truncate(self, size_bytes: int) -> None:
        os.ftruncate(self._descriptor, size_bytes)
        self.size_bytes = size_bytes

    def sync(self) -> None:
        """Make the bytes, the size and a new name durable. Blocks."""
        _sync_data(self._descriptor)
        if self._new_in >= 0:
            _sync_names(self._new_in, self.path)
            self._close_directory()

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        self._close_directory()

    def _close_directory(self) -> None:
        directory, self._new_in = self._new_in, -1
        if directory >= 0:
            os.close(directory)

    # Readers in threads may hold a file that was dropped from the set of open ones. The last one
    # to let go closes it, so that no reader ever finds another file under its descriptor.
    __del__ = close


class OsDisk:
    """The data directory ``root``.

    ``post`` says where ``done`` of a sync runs; by default in a thread of the disk. One that is
    ``read_only`` is never written to, so that it may be where nothing can be.
    """

    def __init__(
        self,
        root: str,
        *,
        post: Post | None = None,
        sync_threads: int = SYNC_THREADS,
        read_only: bool = False,
        make_threads: MakeThreads = ThreadPoolExecutor,
    ) -> None:
        self._root: Final = root
        self._read_only: Final = read_only
        self._post: Final = post or (lambda run: run())
        self._sync_threads: Final = sync_threads
        self._threads: Final = make_threads(sync_threads, "tapemq-sync")
        self._remover: Final = Remover(self, make_threads)
        self._lock_descriptor = -1

    def _full(self, path: str) -> str:
        return os.path.join(self._root, path)

    def open(self, path: str, *, create: bool = False) -> OsFile:
        full = self._full(path)
        if self._read_only:
            if create:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), full)
            return OsFile(path, _open_file(full, os.O_RDONLY))
        if create:
            return self._create(path, full)
        return OsFile(path, _open_file(full, os.O_RDWR))

    def _create(self, path: str, full: str) -> OsFile:
        directory = _open_directory(os.path.dirname(full))
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL
        try:
            return OsFile(path, os.open(full, flags, _FILE_MODE), directory)
        except OSError:
            os.close(directory)
            raise

    def sync(self, files: Sequence[File], done: Callable[[Exception | None], None]) -> None:
        workers = max(1, min(self._sync_threads, len(files)))
        # Removals are asked of last: one that failed during this round may have taken the error
        # that a sync of the same directory would have met, which seemed to succeed then.
        work = SyncRound(
            [_own(file).sync for file in files],
            workers,
            lambda error: self._post(lambda: done(error or self._remover.failed)),
        )
        for _ in range(workers):
            self._threads.submit(work.run)

    def _check_removals(self) -> None:
        if self._remover.failed is not None:
            raise self._remover.failed

    def sync_now(self, file: File) -> None:
        _own(file).sync()
        self._check_removals()

    def sync_directory(self, path: str) -> None:
        _sync_directory(self._full(path))

    def list_directory(self, path: str) -> list[str]:
        try:
            with os.scandir(self._full(path)) as entries:
                return sorted(f"{item.name}/" if item.is_dir() else item.name for item in entries)
        except FileNotFoundError:
            return []

    def make_directory(self, path: str) -> None:
        full = os.path.abspath(self._full(path))
        root = os.path.abspath(self._root)
        _make_directory(full, root)

    def read_file(self, path: str) -> bytes | None:
        try:
            with open(_open_file(self._full(path), os.O_RDONLY), "rb", buffering=0) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def replace_file(self, path: str, data: bytes, *, durable: bool = True) -> None:
        if durable:
            self._check_removals()  # a clean stop notes here that all else is on disk
        full = self._full(path)
        temporary = f"{full}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        try:
            with open(_open_file(temporary, flags), "wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, full)
        except OSError:
            with suppress(OSError):  # it would keep what room is left on a full disk
                os.unlink(temporary)
            raise
        if durable:
            _sync_directory(os.path.dirname(full))

    def rename(self, source: str, target: str) -> None:
        os.replace(self._full(source), self._full(target))

    def remove(self, path: str) -> None:
        full = self._full(path)
        with suppress(FileNotFoundError):
            if os.path.isdir(full):
                os.rmdir(full)
            else:
                os.unlink(full)

    def discard(self, paths: Sequence[str]) -> None:
        self._remover.remove(paths)

    def size_bytes(self, path: str) -> int | None:
        try:
            return os.stat(self._full(path)).st_size
        except FileNotFoundError:
            return None

    def free_bytes(self) -> int:
        status = os.statvfs(self._root)
        return status.f_bavail * status.f_frsize

    def total_bytes(self) -> int:
        status = os.statvfs(self._root)
        return status.f_blocks * status.f_frsize

    def lock(self) -> None:
        path = self._full(_LOCK_NAME)
        # Whoever only reads shares: an exclusive lock may need a file that is open for writing.
        access, mode = os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX
        if self._read_only:
            access, mode = os.O_RDONLY, fcntl.LOCK_SH
        descriptor = _open_file(path, access)
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        self._lock_descriptor = descriptor

    def close(self) -> None:
        self._threads.shutdown()
        self._remover.close()
        descriptor, self._lock_descriptor = self._lock_descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _own(file: File) -> OsFile:
    if not isinstance(file, OsFile):
        raise TypeError(f"{file.path} was opened by another disk")
    return file
