"""Files and directories in memory, each with what is durable and what is not yet."""

import errno
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Union


class Write(NamedTuple):
    """Bytes written at ``position``; None: the file was cut to ``position`` bytes."""

    position: int
    data: bytes | None


class FileBytes:
    """The content of a file: as it is now, as it is on disk, and the writes in between."""

    def __init__(self) -> None:
        self.now = bytearray()
        self.durable = bytearray()
        self.pending: Final[list[Write]] = []
        self._is_lost = False

    def write(self, position: int, data: bytes) -> None:
        self._change(Write(position, data))

    def truncate(self, size_bytes: int) -> None:
        self._change(Write(size_bytes, None))

    def _change(self, write: Write) -> None:
        if self._is_lost:
            raise OSError(errno.ESTALE, "the power was cut after the file was opened")
        _apply(self.now, write)
        self.pending.append(write)

    def sync(self, count: int) -> None:
        """Make the first ``count`` pending writes durable."""
        if self._is_lost:
            raise OSError(errno.ESTALE, "the power was cut after the file was opened")
        for write in self.pending[:count]:
            _apply(self.durable, write)
        del self.pending[:count]

    def after_power_cut(self, surviving: Sequence[Write]) -> "FileBytes":
        """What is found in this file when the power is back. The old content is dead."""
        self._is_lost = True
        found = FileBytes()
        found.durable = bytearray(self.durable)
        for write in surviving:
            _apply(found.durable, write)
        found.now = bytearray(found.durable)
        return found


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
