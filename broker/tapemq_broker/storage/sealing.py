"""Writing down what a full segment needs for the next start: its index and the observer's state.

Failing to write one is no error: an index is made anew from the log when it is needed, and so is a
state, as long as what it was made of is not removed: see side_files.
"""

from contextlib import suppress
from typing import NamedTuple

from tapemq.batch import LogId
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.disk import Disk, File
from tapemq_broker.storage.index import Index, Seal
from tapemq_broker.storage.paths import state_path
from tapemq_broker.storage.segment import Segment
from tapemq_broker.storage.snapshot import encode_snapshot


class Ending(NamedTuple):
    """A segment, and the log as of its end. ``state`` is the observer's, if there is one."""

    segment: Segment
    end: LogEnd
    state: bytes | None


def write_index(
    disk: Disk, log_id: LogId, ending: Ending, index: Index, *, complete: bool
) -> list[File]:
    """Write the index of a segment that is on disk. Returns the file, for a later sync."""
    segment = ending.segment
    seal = Seal(
        log_id,
        segment.base_offset,
        segment.size_bytes,
        segment.last_position,
        ending.end,
        complete,
    )
    return _write(disk, segment.index_path, index.encode(seal))


def write_state(
    disk: Disk, directory: str, log_id: LogId, end: LogEnd, state: bytes | None
) -> list[File]:
    """Write the observer's state as of ``end``. Returns the file, for a later sync."""
    if state is None:
        return []
    path = state_path(directory, end.next_offset)
    return _write(disk, path, encode_snapshot(log_id, end, state))


def _write(disk: Disk, path: str, data: bytes) -> list[File]:
    try:
        disk.remove(path)
        file = disk.open(path, create=True)
        file.append([data])
    except OSError:
        with suppress(OSError):
            disk.remove(path)
        return []
    return [file]
