"""Tails that recovery cut off a log: kept aside, never deleted, never overwritten.

A file is named after the segment and the position at which it was cut off, the log epoch that
begins with the cut, and the time: ``<base offset>-<position>-<epoch>.torn-<microseconds>``. The
epoch in the name lets a recovery that was interrupted behind the cut be finished.
"""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Final, NamedTuple

from tapemq_broker.storage.disk import Disk, File
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.rewriting import rewrite
from tapemq_broker.storage.scan import WINDOW_BYTES

_NAME: Final = re.compile(r"(\d{20})-(\d+)-(\d+)\.torn-(\d+)")


class TornName(NamedTuple):
    """What the name of a file that was set aside says."""

    segment_base: int
    position: int
    log_epoch: int
    time_us: int

    def __str__(self) -> str:
        return f"{self.segment_base:020}-{self.position}-{self.log_epoch}.torn-{self.time_us}"


class SetAside(NamedTuple):
    """A file that was set aside."""

    path: str
    size_bytes: int


def torn_names(names: list[str]) -> list[TornName]:
    """The files in a directory listing that were set aside."""
    matches = filter(None, map(_NAME.fullmatch, names))
    return [TornName(*map(int, match.groups())) for match in matches]


def copy_aside(files: LogFiles, file: File, wanted: TornName) -> SetAside:
    """Copy what follows the position, durably, unless an earlier recovery already has.

    Raises OSError, for instance when the disk is full.
    """
    size_bytes = file.size_bytes - wanted.position
    for name in torn_names(files.names()):
        if name[:3] == wanted[:3] and _is_copy(files, files.path(name), file, name.position):
            return SetAside(files.path(name), size_bytes)
    disk, target, draft = files.disk, _free_path(files, wanted), files.path("torn.tmp")
    with written_draft(disk, draft) as copy:
        for piece in _pieces(file, wanted.position):
            copy.append([piece])
    disk.rename(draft, target)
    disk.sync_directory(files.directory)
    return SetAside(target, size_bytes)


@contextmanager
def written_draft(disk: Disk, path: str) -> Iterator[File]:
    """A new file to write, which is synced and closed at the end of the ``with`` block.

    One that fails is removed: it would keep what room is left on a full disk from everybody else.
    """
    disk.remove(path)
    try:
        with closing(disk.open(path, create=True)) as draft:
            yield draft
            disk.sync_now(draft)
    except OSError:
        with suppress(OSError):
            disk.remove(path)
        raise


def move_aside(files: LogFiles, wanted: TornName) -> SetAside:
    """Set a whole segment aside. Not durable until the directory is synced."""
    with files.open(wanted.segment_base) as file:
        rewrite(file, 0, file.size_bytes)
        files.disk.sync_now(file)
        size_bytes = file.size_bytes
    target = _free_path(files, wanted)
    files.disk.rename(files.segment_path(wanted.segment_base), target)
    return SetAside(target, size_bytes)


def _free_path(files: LogFiles, wanted: TornName) -> str:
    taken = set(files.names())
    while str(wanted) in taken:
        wanted = wanted._replace(time_us=wanted.time_us + 1)
    return files.path(wanted)


def _pieces(file: File, position: int) -> Iterator[bytes]:
    while piece := bytes(file.read(position, WINDOW_BYTES)):
        yield piece
        position += len(piece)


def _is_copy(files: LogFiles, path: str, file: File, position: int) -> bool:
    with closing(files.disk.open(path)) as copy:
        if copy.size_bytes != file.size_bytes - position:
            return False
        return all(a == b for a, b in zip(_pieces(copy, 0), _pieces(file, position), strict=True))
