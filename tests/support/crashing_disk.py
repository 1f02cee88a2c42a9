"""A disk in memory on which the process dies at a chosen call."""

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from tapemq_broker.storage.disk import Buffer, File
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.memory_tree import NameChange, Write
from tests.support.survivors import Survivors, synced_bytes

Change = TypeVar("Change", Write, NameChange)


class Crash(BaseException):
    """The process is dead. Not an Exception, so that nothing catches it."""


class CrashingFile(MemoryFile):
    """Dies at a write: with the first part of it written, where ``tears`` says so."""

    def __init__(self, file: MemoryFile, tick: Callable[[], bool], tears: bool) -> None:
        super().__init__(file.path, file.content, file.new_in)
        self._tick = tick
        self._tears = tears

    def append(self, buffers: Sequence[Buffer]) -> None:
        if self._tick():
            data = b"".join(buffers)
            super().append([data[: len(data) // 2 if self._tears else 0]])
            raise Crash
        super().append(buffers)

    def rewrite(self, position: int, data: Buffer) -> None:
        if self._tick():
            super().rewrite(position, data[: len(data) // 2 if self._tears else 0])
            raise Crash
        super().rewrite(position, data)

    def truncate(self, size_bytes: int) -> None:
        if self._tick():
            raise Crash
        super().truncate(size_bytes)


class CrashingDisk(MemoryDisk):
    """Dies at the call number ``crash_at`` that changes or syncs something, counted from 0.

    What a power cut leaves of unsynced changes is drawn from ``random``; nothing if it is None.
    """

    def __init__(self, random: Random | None = None, *, tears: bool = False) -> None:
        super().__init__()
        self._tears = tears
        self.calls = 0
        self.crash_at: int | None = None
        self._random = random

    def surviving_writes(self, path: str, pending: Sequence[Write]) -> Sequence[Write]:
        return self._some(pending)

    def surviving_names(self, path: str, pending: Sequence[NameChange]) -> Sequence[NameChange]:
        return self._some(pending)

    def _some(self, pending: Sequence[Change]) -> Sequence[Change]:
        random = self._random
        if random is None:
            return ()
        return [change for change in pending if random.random() < 0.5]

    def _tick(self) -> bool:
        self.calls += 1
        return self.calls - 1 == self.crash_at

    def _die(self) -> None:
        if self._tick():
            raise Crash

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        if create:
            self._die()
        return CrashingFile(super().open(path, create=create), self._tick, self._tears)

    def sync_now(self, file: File) -> None:
        self._die()
        super().sync_now(file)

    def sync_directory(self, path: str) -> None:
        self._die()
        super().sync_directory(path)

    def make_directory(self, path: str) -> None:
        self._die()
        super().make_directory(path)

    def replace_file(self, path: str, data: bytes, *, durable: bool = True) -> None:
        self._die()
        super().replace_file(path, data, durable=durable)

    def rename(self, source: str, target: str) -> None:
        self._die()
        super().rename(source, target)

    def remove(self, path: str) -> None:
        self._die()
        super().remove(path)


class SectorDisk(CrashingDisk):
    """A power cut leaves any part of what was not synced: see Survivors."""

    def __init__(self, random: Random, *, tears: bool = False) -> None:
        super().__init__(random, tears=tears)
        self._survivors = Survivors(random)

    def surviving_writes(self, path: str, pending: Sequence[Write]) -> Sequence[Write]:
        return list(self._survivors.writes(pending, synced_bytes(self, path))) if pending else ()

    def surviving_names(self, path: str, pending: Sequence[NameChange]) -> Sequence[NameChange]:
        return self._survivors.names(pending)
