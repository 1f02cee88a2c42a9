"""The disk as one process sees it: its calls fail, stall or never return when the world says so."""

import errno
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tapemq_broker.storage.disk import Buffer, File
from tapemq_broker.storage.errors import SyncFailed
from tapemq_broker.storage.memory_disk import MemoryFile
from tests.support.simulation.loop import SimLoop
from tests.support.simulation.platter import Platter
from tests.support.simulation.process import Process, ProcessExit

TOTAL_BYTES: Final = 10 << 30

Done = Callable[[Exception | None], None]


@dataclass
class Trouble:
    """What a disk does wrong. Chances are between 0 and 1, durations virtual seconds."""

    sync_s: float = 300e-6
    stall_chance: float = 0.0
    stall_s: float = 0.0
    read_wait_chance: float = 0.0
    low: bool = False
    """Little is left, but writes succeed."""
    full: bool = False
    """Writes fail with ENOSPC, after a part of them was written."""
    room_bytes: int = 0
    """On a full disk, appends of no more than this find room."""
    sync_errors: int = 0
    """So many of the next syncs fail with EIO."""
    flips: int = 0
    """So many of the next reads have one bit flipped."""
    lies: bool = False
    """Syncs in the background report success and do nothing."""
    hurries: bool = False
    """Syncs report success long before they are done."""
    forgets: bool = False
    """A sync that fails leaves bytes that later syncs pass over, as on Linux."""
    evict_chance: float = 0.0
    """Such bytes vanish from the page cache at a read."""
    forgets_names: bool = False
    """Syncs make bytes durable, but not the names of new files."""
    crash_in_steps: int = 0
    """The process dies at this call of the disk from now; 0: it does not."""
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str) -> None:
        """One more fault of this kind has happened."""
        self.counts[name] = self.counts.get(name, 0) + 1


class SimFile:
    """An open file of a process."""

    def __init__(self, disk: "SimDisk", inner: MemoryFile) -> None:
        self.path: Final = inner.path
        self.inner: Final = inner
        self._disk = disk

    @property
    def size_bytes(self) -> int:
        return self.inner.size_bytes

    def append(self, buffers: Sequence[Buffer]) -> None:
        data = b"".join(buffers)

        def write_some() -> None:
            self.inner.append([data[: self._disk.random.randrange(len(data) + 1)]])

        self._disk.step(write_some)
        if len(data) > self._disk.trouble.room_bytes:
            self._disk.refuse_if_full(self.path, write_some)
        self.inner.append([data])

    def rewrite(self, position: int, data: Buffer) -> None:
        def write_some() -> None:
            self.inner.rewrite(position, data[: self._disk.random.randrange(len(data) + 1)])

        self._disk.step(write_some)
        self.inner.rewrite(position, data)

    def drop_cache(self) -> None:
        self._disk.step()
        self.inner.drop_cache()

    def read(self, position: int, size_bytes: int) -> bytes:
        self._disk.step()
        self._disk.evict_some()
        return self._disk.flipped(self.inner.read(position, size_bytes))

    def read_nowait(self, position: int, size_bytes: int) -> bytes | None:
        if self._disk.random.random() < self._disk.trouble.read_wait_chance:
            return None
        return self.read(position, size_bytes)

    def truncate(self, size_bytes: int) -> None:
        self._disk.step()
        self.inner.truncate(size_bytes)

    def close(self) -> None:
        self.inner.close()


class SimDisk:
    """The platter, mounted by one process. ``crash`` is told when a call is the last one."""

    def __init__(
        self,
        loop: SimLoop,
        platter: Platter,
        process: Process,
        trouble: Trouble,
        crash: Callable[[], None],
    ) -> None:
        self.random: Final[Random] = loop.random
        self.trouble: Final = trouble
        self._loop = loop
        self._platter = platter
        self._process = process
        self._crash = crash
        process.at_exit(platter.close)

    def step(self, part: Callable[[], None] | None = None) -> None:
        """Begin a call. The process may die in it, having done ``part`` of it or nothing."""
        if not self._process.alive:
            raise ProcessExit
        if self.trouble.crash_in_steps:
            self.trouble.crash_in_steps -= 1
            if not self.trouble.crash_in_steps:
                if part is not None and self.random.random() < 0.7:
                    part()
                self._crash()
                raise ProcessExit

    def refuse_if_full(self, path: str, part: Callable[[], None] | None = None) -> None:
        """Fail as a full disk does, having done ``part`` of the call."""
        if self.trouble.full:
            self.trouble.count("enospc")
            if part is not None:
                part()
            raise OSError(errno.ENOSPC, "No space left on device", path)

    def flipped(self, data: bytes) -> bytes:
        """What was read, with one bit flipped if the disk does that."""
        if not self.trouble.flips or not data:
            return data
        self.trouble.flips -= 1
        self.trouble.count("flip")
        bit = self.random.randrange(8 * len(data))
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        return bytes(wrong)

    def evict_some(self) -> None:
        """Let the page cache drop what failed syncs have left there, at times."""
        if self.trouble.evict_chance and self.random.random() < self.trouble.evict_chance:
            self._platter.evict()

    def open(self, path: str, *, create: bool = False) -> SimFile:
        self.step()
        if create:
            self.refuse_if_full(path)
        return SimFile(self, self._platter.open(path, create=create))

    def sync(self, files: Sequence[File], done: Done) -> None:
        self.step()
        trouble = self.trouble
        delay_s = trouble.sync_s * (0.3 + self.random.random())
        if self.random.random() < trouble.stall_chance:
            trouble.count("stall")
            delay_s += trouble.stall_s * self.random.random()

        def report(error: Exception | None) -> None:
            self._loop.call_soon(done, error, context=self._process.context)

        if trouble.sync_errors:
            trouble.sync_errors -= 1
            trouble.count("eio")
            if trouble.forgets:
                trouble.count("forgotten")
                self._platter.fail_sync_after(delay_s, self._inner(files), report)
            else:
                error = OSError(errno.EIO, "Input/output error")
                self._loop.call_io(delay_s, self, report, error)
        elif trouble.lies:
            self._loop.call_io(delay_s, self, report, None)
        elif trouble.hurries:
            self._loop.call_io(delay_s, self, report, None)
            self._platter.sync_after(500 * delay_s, self._inner(files), lambda error: None)
        else:
            # What is written from here on is not covered, whenever the sync ends.
            self._platter.sync_after(delay_s, self._inner(files), report)

    def _inner(self, files: Sequence[File]) -> list[MemoryFile]:
        inner = [_inner(file) for file in files]
        if self.trouble.forgets_names:
            for file in inner:
                file.new_in = None
        return inner

    def sync_now(self, file: File) -> None:
        self.step()
        if self.trouble.sync_errors and self.trouble.forgets:
            self.trouble.count("forgotten")
            with suppress(OSError):
                self._platter.fail_sync_now(_inner(file))
        self._fail_sync(file.path)
        self._platter.sync_now(*self._inner([file]))

    def _fail_sync(self, path: str) -> None:
        if self.trouble.sync_errors:
            self.trouble.sync_errors -= 1
            self.trouble.count("eio")
            raise SyncFailed(errno.EIO, "Input/output error", path)

    def sync_directory(self, path: str) -> None:
        self.step()
        self._fail_sync(path)
        if not self.trouble.forgets_names:
            self._platter.sync_directory(path)

    def list_directory(self, path: str) -> list[str]:
        self.step()
        return self._platter.list_directory(path)

    def make_directory(self, path: str) -> None:
        self.step()
        if not self._platter.list_directory(path):
            self.refuse_if_full(path)
        self._platter.make_directory(path)

    def read_file(self, path: str) -> bytes | None:
        self.step()
        data = self._platter.read_file(path)
        return data if data is None else self.flipped(data)

    def replace_file(self, path: str, data: bytes, *, durable: bool = True) -> None:
        temporary = f"{path}.tmp"

        def write_some() -> None:
            self._platter.remove(temporary)
            size = self.random.randrange(len(data) + 1)
            self._platter.open(temporary, create=True).append([data[:size]])

        def leave_the_name_unsynced() -> None:
            self._platter.replace_file(path, data, durable=False)
            self._platter.sync_now(self._platter.open(path))

        self.step(self.random.choice((write_some, leave_the_name_unsynced)))
        self.refuse_if_full(path, write_some)
        self._platter.replace_file(path, data, durable=durable)

    def rename(self, source: str, target: str) -> None:
        self.step()
        self._platter.rename(source, target)

    def remove(self, path: str) -> None:
        self.step()
        self._platter.remove(path)

    def discard(self, paths: Sequence[str]) -> None:
        self.step()
        self._discard(list(paths))

    def _discard(self, paths: list[str]) -> None:
        if not paths or not self._process.alive:
            return
        delay_s = self.trouble.sync_s * self.random.random()
        self._platter.discard(paths[:1])
        context = self._process.context
        self._loop.call_io(delay_s, self, self._discard, paths[1:], context=context)

    def size_bytes(self, path: str) -> int | None:
        self.step()
        return self._platter.size_bytes(path)

    def free_bytes(self) -> int:
        if self.trouble.full:
            return 0
        return TOTAL_BYTES // (100 if self.trouble.low else 2)

    def total_bytes(self) -> int:
        return TOTAL_BYTES

    def lock(self) -> None:
        self.step()
        self._platter.lock()

    def close(self) -> None:
        if self._process.alive:
            self._platter.close()


def _inner(file: File) -> MemoryFile:
    if not isinstance(file, SimFile):
        raise TypeError(f"{file.path} was opened by another disk")
    return file.inner
