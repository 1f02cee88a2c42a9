"""The log seam: the few operations through which everything above storage uses a log."""

from typing import NamedTuple

from tapemq.batch import Kind
from tapemq_broker.storage.disk import Buffer


class NewBatch(NamedTuple):
    """A batch to append: its checked body, and what its header needs to know of it."""

    kind: Kind
    record_count: int
    body: Buffer
    body_checksum: int
    flags: int = 0


class LogSettings(NamedTuple):
    """How a log lays out its files."""

    segment_bytes: int = 64 * 1024 * 1024
    index_interval_bytes: int = 64 * 1024


class SegmentInfo(NamedTuple):
    """One segment of a log; the last one is being appended to."""

    base_offset: int
    next_offset: int
    size_bytes: int
    last_append_time_us: int


class Chunk(NamedTuple):
    """Whole batches as they rest, checked.

    ``record_count`` counts records at or above the asked offset, ``next_offset`` is where to go
    on, ``hint`` makes going on cheap.
    """

    data: memoryview
    record_count: int
    next_offset: int
    hint: object
