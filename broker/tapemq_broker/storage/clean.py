"""The CLEAN file: what a clean stop notes about each log, so that the next start scans nothing.

File: magic "TMQC", version u8, CRC-32 of the rest u32, then msgpack: an array of arrays, one for
each log, with the fields of CleanEntry in their order (the log id as three integers).
"""

from collections.abc import Iterable
from struct import Struct
from typing import Any, Final, NamedTuple

import msgpack

from tapemq.batch import LogId, Role, checksum
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.disk import Disk
from tapemq_broker.storage.errors import NO_FILES_ERRORS

CLEAN_PATH: Final = "CLEAN"

_MAGIC: Final = b"TMQC"
_VERSION: Final = 1
_HEAD: Final = Struct(">4sBI")
_FIELDS: Final = 11


class CleanEntry(NamedTuple):
    """A log as a clean stop left it: its segments, and what the next batch must continue.

    ``first_base`` is the base offset of the oldest segment, ``segment_base`` that of the newest.
    """

    log_id: LogId
    first_base: int
    segment_base: int
    size_bytes: int
    next_offset: int
    next_batch: int
    last_checksum: int
    log_epoch: int
    last_append_time_us: int

    @property
    def end(self) -> LogEnd:
        """Where the log goes on."""
        return LogEnd(*self[4:])


class CleanState(NamedTuple):
    """What a start finds: the entries, and why there are none if the file was damaged."""

    entries: dict[LogId, CleanEntry]
    complaint: str | None = None


def write_clean(disk: Disk, entries: Iterable[CleanEntry]) -> None:
    """Note a clean stop, durably. Everything that the entries describe is durable already."""
    rows = msgpack.packb([(*entry.log_id, *entry[1:]) for entry in entries])
    disk.replace_file(CLEAN_PATH, _HEAD.pack(_MAGIC, _VERSION, checksum(rows)) + rows)


def remove_clean(disk: Disk) -> None:
    """Let no note count any more, durably: before a log changes that it is about."""
    disk.remove(CLEAN_PATH)
    # Also where there is none: a start that was killed may have removed it, and not synced that.
    disk.sync_directory("")


def look_at_clean(disk: Disk) -> CleanState:
    """Read the note of a clean stop. A damaged one counts as none: the logs are scanned then, and
    its complaint says so."""
    try:
        data = disk.read_file(CLEAN_PATH)
    except OSError as error:
        if error.errno in NO_FILES_ERRORS:
            raise
        return CleanState(
            {}, f"the file {CLEAN_PATH} cannot be read, all logs are scanned: {error}"
        )
    return read_clean(data) if data is not None else CleanState({})


def read_clean(data: bytes) -> CleanState:
    """What the bytes of a CLEAN file say."""
    try:
        entries = [_entry(row) for row in _rows(data)]
    except (ValueError, TypeError, KeyError) as error:
        return CleanState({}, f"the file {CLEAN_PATH} is damaged, all logs are scanned: {error}")
    return CleanState({entry.log_id: entry for entry in entries})


def _rows(data: bytes) -> Any:
    if len(data) < _HEAD.size:
        raise ValueError(f"it has {len(data)} bytes")
    magic, version, expected = _HEAD.unpack_from(data)
    rows = data[_HEAD.size :]
    if magic != _MAGIC or version != _VERSION or checksum(rows) != expected:
        raise ValueError(f"magic {magic!r}, version {version}, or the checksum is wrong")
    return msgpack.unpackb(rows)


def _entry(row: Any) -> CleanEntry:
    if len(row) != _FIELDS or any(type(field) is not int for field in row):
        raise ValueError(f"an entry is not {_FIELDS} numbers")
    return CleanEntry(LogId(row[0], row[1], Role(row[2])), *row[3:])
