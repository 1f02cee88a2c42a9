"""What a broker makes of a data directory: which logs it opens, what it reads, what it refuses."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tapemq.batch import Kind, LogId, decode_header
from tapemq_broker.storage.clean import CleanEntry, look_at_clean, remove_clean
from tapemq_broker.storage.directory import CATALOG_ID, DataDirectory
from tapemq_broker.storage.errors import CorruptLog, DataDirectoryError, LogRefused
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.recovery import Recovered
from tapemq_broker.storage.state_log import StateLog
from tests.support.sample_directory import (
    BROKER_ID,
    CATALOG_PATH,
    DATA_ID,
    GROUPS_ID,
    GROUPS_PATH,
    START_US,
    Sample,
    Tally,
    open_data,
)

NOW_US = START_US + 10_000_000


class BadPlace(NamedTuple):
    """Where an error says that the damage is."""

    segment: str
    position: int


@dataclass
class Outcome:
    """How the data log fared.

    ``read`` are the numbers of the batches that were read, byte by byte as they were written;
    ``errors`` are places by the offset that could not be read.
    """

    disk: MemoryDisk
    refused: BadPlace | None = None
    row: str = ""
    recovered: Recovered | None = None
    read: set[int] = field(default_factory=set)
    errors: dict[int, BadPlace] = field(default_factory=dict)
    next_offset: int = 0
    total: int = 0


def start(disk: MemoryDisk) -> dict[LogId, CleanEntry] | None:
    """What a start does before it opens any log; None if it refuses the directory."""
    try:
        if DataDirectory.open(disk, bytes(16)).broker_id != BROKER_ID:
            raise AssertionError("the directory has another broker id, and nobody noticed")
    except DataDirectoryError:
        return None
    entries = look_at_clean(disk).entries
    remove_clean(disk)
    return entries


def open_and_read(
    disk: MemoryDisk, sample: Sample, *, durable_floor: int = 0, thorough: bool = False
) -> Outcome:
    """Open the data log and read all of it; ``thorough``: also each batch by itself."""
    outcome, tally = Outcome(disk), Tally()
    clean = start(disk)
    if clean is None:
        outcome.refused, outcome.row = BadPlace("FORMAT", 0), "FORMAT"
        return outcome
    try:
        log = open_data(
            disk,
            NOW_US,
            tally,
            clean=clean.get(DATA_ID),
            durable_floor=durable_floor,
            must_exist=True,
        )
    except (LogRefused, CorruptLog) as error:
        outcome.refused = BadPlace(error.segment, error.position)
        outcome.row = error.row if isinstance(error, LogRefused) else "CORRUPT"
        return outcome
    outcome.recovered, outcome.row = log.recovered, log.recovered.row.name
    outcome.next_offset, outcome.total = log.next_offset, tally.total
    _read_on(log, sample, outcome)
    if thorough:
        _read_each(log, sample, outcome)
    return outcome


def _read_on(log: Log, sample: Sample, outcome: Outcome) -> None:
    """Read everything; where that fails, go on with the next batch."""
    offset = log.first_offset
    while offset < log.next_offset:
        try:
            chunk = log.plan(offset, upto=log.next_offset, max_bytes=1 << 20).run(wait=True)
        except CorruptLog as error:
            outcome.errors[offset] = BadPlace(error.segment, error.position)
            offset = min(end for end in sample.ends if end > offset)
            continue
        if chunk is None:
            raise AssertionError("reading asks to wait, though it may")
        outcome.read |= set(_numbers(sample, chunk.data, offset))
        offset = chunk.next_offset


def _numbers(sample: Sample, data: memoryview, offset: int) -> Iterator[int]:
    """The numbers of the batches in a chunk that was read from ``offset`` on.

    Raises AssertionError for a batch that is not as it was written, or not in its place.
    """
    position = 0
    while position < len(data):
        header = decode_header(data, position)
        assert header.base_offset == offset or (position == 0 and header.base_offset < offset)
        offset = header.next_offset
        if header.batch_number < len(sample.batches):
            end = position + header.batch_bytes
            assert data[position:end] == sample.batches[header.batch_number].data
            yield header.batch_number
        else:
            assert header.record_count == 0, "a record that nobody wrote"
        position += header.batch_bytes


def _read_each(log: Log, sample: Sample, outcome: Outcome) -> None:
    """Read batch by batch, each found by its offset and by its time."""
    for placed in sample.batches:
        offset, time_us = placed.header.base_offset, placed.header.append_time_us
        if placed.header.record_count and log.first_offset <= offset < log.next_offset:
            chunk = log.plan(offset, upto=log.next_offset, max_bytes=1).run(wait=True)
            if chunk is None or placed.header.batch_number not in _numbers(
                sample, chunk.data, offset
            ):
                raise AssertionError(f"offset {offset} is not found")
            if log.offset_at(time_us) > offset:
                raise AssertionError(f"offset {offset} is not found by its time")


def open_state(disk: MemoryDisk, path: str) -> dict[bytes, bytes] | BadPlace:
    """The entries of the group log or the catalog, or where it was refused."""
    log_id, kind = (GROUPS_ID, Kind.GROUP) if path == GROUPS_PATH else (CATALOG_ID, Kind.CATALOG)
    clean = start(disk) or {}
    try:
        state = StateLog.open(
            disk, path, log_id, kind, clean=clean.get(log_id), now_us=NOW_US, must_exist=True
        )
    except (LogRefused, CorruptLog) as error:
        return BadPlace(error.segment, error.position)
    return state.entries


STATE_PATHS = (GROUPS_PATH, CATALOG_PATH)
