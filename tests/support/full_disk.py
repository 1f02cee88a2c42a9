"""A disk in memory that can be full."""

import errno
from collections.abc import Sequence
from typing import Any

from tapemq_broker.storage.disk import Buffer
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile


class FullFile:
    """A file that takes nothing while its disk is full."""

    def __init__(self, file: MemoryFile, disk: "FullDisk") -> None:
        self._file = file
        self._disk = disk

    def append(self, buffers: Sequence[Buffer]) -> None:
        if self._disk.full and self._disk.room_for:
            self._disk.room_for -= 1
        elif self._disk.full:
            self._disk.refused += 1
            raise OSError(errno.ENOSPC, "no space left")
        self._file.append(buffers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class FullDisk(MemoryDisk):
    """A disk that can be full; it may have ``room_for`` some more writes then."""

    full = False
    room_for = 0
    refused = 0

    def open(self, path: str, *, create: bool = False) -> Any:
        return FullFile(super().open(path, create=create), self)

    def sync(self, files: Any, done: Any) -> None:
        super().sync([getattr(file, "_file", file) for file in files], done)

    def sync_now(self, file: Any) -> None:
        super().sync_now(getattr(file, "_file", file))


class HalfFile(MemoryFile):
    """A file of a log on a disk that has room for half of what is appended to it."""

    def __init__(self, file: MemoryFile, disk: "HalfFullDisk") -> None:
        super().__init__(file.path, file.content, file.new_in)
        self._disk = disk

    def append(self, buffers: Sequence[Buffer]) -> None:
        if not self._disk.is_full:
            super().append(buffers)
            return
        data = b"".join(buffers)
        super().append([data[: len(data) // 2]])
        raise OSError(errno.ENOSPC, "no space left")


class HalfFullDisk(MemoryDisk):
    """A disk that can be full, in the middle of an append to a log."""

    is_full = False

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        file = super().open(path, create=create)
        return HalfFile(file, self) if path.endswith(".log") else file
