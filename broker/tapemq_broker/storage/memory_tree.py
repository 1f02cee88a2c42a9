"""Files and directories in memory, each with what is durable and what is not yet."""

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Union


class Write(NamedTuple):
    """Bytes written at ``position``; None: the file was cut to ``position`` bytes."""

    position: int
    data: bytes | None


BLOCK_BYTES: Final = 512
"""What a page cache writes back as a whole. Real ones have blocks of 512 bytes to 4 KiB."""


class FileBytes:
    """The content of a file: as it is now, as it is on disk, and the writes in between.

    ``forgotten`` are the numbers of blocks that a failed sync left behind: they read as they are
    written, and nothing of that reaches the disk, until they are evicted and written anew.
    """

    def __init__(self) -> None:
        self.now = bytearray()
        self.durable = bytearray()
        self.pending: Final[list[Write]] = []
        self.forgotten: Final[set[int]] = set()
        self._is_lost = False

    def write(self, position: int, data: bytes) -> None:
        self._change(Write(position, data))

    def truncate(self, size_bytes: int) -> None:
        self._change(Write(size_bytes, None))

    def _change(self, write: Write) -> None:
        if self._is_lost:
            raise OSError(errno.ESTALE, "the power was cut after the file was opened")
        _apply(self.now, write)
        self.pending.extend(self._reaching(write))

    def _reaching(self, write: Write) -> Iterator[Write]:
        """The parts of a write that a sync will bring to the disk."""
        if write.data is None:
            beyond = range(-(-write.position // BLOCK_BYTES), max(self.forgotten, default=0) + 1)
            self.forgotten.difference_update(beyond)
            yield write
            return
        end = write.position + len(write.data)
        blocks = blocks_of(write.position, len(write.data))
        holes = [*sorted(self.forgotten.intersection(blocks)), blocks.stop]
        start = write.position
        for hole in holes:
            stop = min(hole * BLOCK_BYTES, end)
            if stop > start:
                yield Write(start, write.data[start - write.position : stop - write.position])
            start = max(start, (hole + 1) * BLOCK_BYTES)

    def sync(self, count: int) -> None:
        """Make the first ``count`` pending writes durable."""
        if self._is_lost:
            raise OSError(errno.ESTALE, "the power was cut after the file was opened")
        for write in self.pending[:count]:
            _apply(self.durable, write)
        del self.pending[:count]

    def fail_sync(self, writes: Iterable[Write], keep: "KeepSome") -> None:
        """Forget ``writes`` as far as they are pending still, but for what ``keep`` brings to disk.

        Sizes are not forgotten: file systems keep them in a journal, apart from the bytes.
        """
        covered = {id(write) for write in writes if write.data is not None}
        failed = [write for write in self.pending if id(write) in covered]
        self.pending[:] = [write for write in self.pending if id(write) not in covered]
        for write in keep(failed):
            _apply(self.durable, write)
        for write in failed:
            self.forgotten.update(blocks_of(write.position, len(write.data or b"")))
        self.pending[:] = [part for write in self.pending for part in self._reaching(write)]

    def evict(self, blocks: Iterable[int]) -> None:
        """Drop forgotten blocks from the page cache: they read as they are on disk, or as zeros."""
        for block in self.forgotten.intersection(blocks):
            self.forgotten.discard(block)
            start = block * BLOCK_BYTES
            size_bytes = len(self.now[start : start + BLOCK_BYTES])
            on_disk = bytes(self.durable[start : start + size_bytes])
            self.now[start : start + size_bytes] = on_disk.ljust(size_bytes, b"\0")

    def after_power_cut(self, surviving: Sequence[Write]) -> "FileBytes":
        """What is found in this file when the power is back. The old content is dead."""
        self._is_lost = True
        found = FileBytes()
        found.durable = bytearray(self.durable)
        for write in surviving:
            _apply(found.durable, write)
        found.now = bytearray(found.durable)
        return found


def blocks_of(position: int, size_bytes: int) -> range:
    """The numbers of the blocks that so many bytes are in."""
    return range(position // BLOCK_BYTES, -(-(position + size_bytes) // BLOCK_BYTES))


def _apply(content: bytearray, write: Write) -> None:
    if write.position > len(content):
        content.extend(bytes(write.position - len(content)))
    if write.data is None:
        del content[write.position :]
    else:
        content[write.position : write.position + len(write.data)] = write.data


Entry = Union[FileBytes, "Directory"]


class NameChange(NamedTuple):
    """A name that now stands for ``entry``; None: the name was removed.

    A rename is one change, which happens whole or not at all: ``old_name`` goes away with it.
    """

    name: str
    entry: Entry | None
    old_name: str | None = None


KeepSome = Callable[[Sequence[Write]], Sequence[Write]]
KeepNames = Callable[[str, Sequence[NameChange]], Sequence[NameChange]]
KeepWrites = Callable[[str, Sequence[Write]], Sequence[Write]]


class Directory:
    """The names in a directory: as they are now, as they are on disk, and the changes between."""

    def __init__(self) -> None:
        self.now: dict[str, Entry] = {}
        self.durable: dict[str, Entry] = {}
        self.pending: list[NameChange] = []

    def change(self, change: NameChange) -> None:
        _rename(self.now, change)
        self.pending.append(change)

    def sync(self) -> None:
        """Make all names durable."""
        for change in self.pending:
            _rename(self.durable, change)
        self.pending.clear()

    def sync_name(self, name: str) -> None:
        """Make one name durable."""
        for change in self.pending:
            if name in (change.name, change.old_name):
                _rename(self.durable, change)
        self.pending = [
            change for change in self.pending if name not in (change.name, change.old_name)
        ]

    def find(self, names: Sequence[str]) -> "Directory":
        directory = self
        for name in names:
            entry = directory.now.get(name)
            if not isinstance(entry, Directory):
                raise FileNotFoundError(errno.ENOENT, "no such directory", "/".join(names))
            directory = entry
        return directory

    def make(self, names: Sequence[str]) -> None:
        """Make a directory and its parents, durably."""
        if not names:
            return
        if names[0] not in self.now:
            self.change(NameChange(names[0], Directory()))
        self.sync_name(names[0])
        self.find(names[:1]).make(names[1:])

    def files(self, path: str) -> Iterator[tuple[str, FileBytes]]:
        """All files, with their paths."""
        for name, entry in list(self.now.items()):
            place = f"{path}/{name}" if path else name
            if isinstance(entry, Directory):
                yield from entry.files(place)
            else:
                yield place, entry

    def power_cut(self, path: str, keep_names: KeepNames, keep_writes: KeepWrites) -> None:
        """Go back to what is durable, and to what else happens to survive."""
        for change in keep_names(path, self.pending):
            _rename(self.durable, change)
        self.pending.clear()
        for name, entry in self.durable.items():
            place = f"{path}/{name}" if path else name
            if isinstance(entry, Directory):
                entry.power_cut(place, keep_names, keep_writes)
            else:
                survivors = keep_writes(place, entry.pending)
                self.durable[name] = entry.after_power_cut(survivors)
        self.now = dict(self.durable)


def _rename(names: dict[str, Entry], change: NameChange) -> None:
    if change.old_name is not None:
        names.pop(change.old_name, None)
    if change.entry is None:
        names.pop(change.name, None)
    else:
        names[change.name] = change.entry
