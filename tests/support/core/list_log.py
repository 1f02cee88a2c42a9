"""Logs as lists: what is in them, what of it is on disk, what a crash leaves."""

from collections.abc import Mapping
from typing import NamedTuple

from tapemq.batch import HEADER_BYTES, BodyPrefix, decode_columns, decode_prefix
from tapemq_broker.core.effects import Append, Deliver

Value = bytes | None


class Batch(NamedTuple):
    """A batch in a log."""

    base_offset: int
    body: bytes

    @property
    def prefix(self) -> BodyPrefix:
        return decode_prefix(self.body)

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.prefix.record_count

    @property
    def values(self) -> list[Value]:
        return list(decode_columns(self.body).values)


class Chunk(NamedTuple):
    """What was read: offsets and values from the asked one on; what it costs."""

    records: list[tuple[int, Value]]
    next_offset: int
    size_bytes: int
    last_batch: Batch = Batch(0, b"")


class ListLog:
    """A log of records.

    What retention has removed is still in ``batches``, though it is not read: so what is known of
    producers from it can be told. ``snapshots``: of producers, by the offset at which the log
    would begin a segment with them.
    """

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.snapshots: dict[int, bytes] = {}
        self.first_offset = 0
        self.next_offset = 0
        self.durable_offset = 0

    def landmarks(self) -> list[tuple[int, int]]:
        """Offsets, and how many bytes are below each."""
        found = [(0, 0)]
        for batch in self.batches:
            found.append((batch.next_offset, found[-1][1] + HEADER_BYTES + len(batch.body)))
        return found

    def append(self, effect: Append) -> None:
        """The core and the log have to agree on offsets."""
        assert effect.base_offset == self.next_offset
        batch = Batch(effect.base_offset, bytes(effect.body))
        assert effect.record_count == batch.prefix.record_count
        self.batches.append(batch)
        self.next_offset = batch.next_offset

    def read(self, wish: Deliver) -> Chunk:
        """Whole batches, as the log seam has it."""
        assert self.first_offset <= wish.offset < wish.upto <= self.durable_offset
        taken: list[Batch] = []
        size_bytes = 0
        for batch in self.batches:
            if batch.next_offset <= wish.offset:
                continue
            if batch.base_offset >= wish.upto or (taken and size_bytes >= wish.max_bytes):
                break
            taken.append(batch)
            size_bytes += len(batch.body)
        found = [item for batch in taken for item in enumerate(batch.values, batch.base_offset)]
        records = [item for item in found if item[0] >= wish.offset]
        return Chunk(records, taken[-1].next_offset, size_bytes, taken[-1])

    def truncate_front(self, offset: int) -> None:
        """Every batch is a segment of its own here."""
        bases = [batch.base_offset for batch in self.batches if batch.base_offset <= offset]
        self.first_offset = max([self.first_offset, *bases])

    def last_of(self, producer: int) -> Batch | None:
        """The last batch of a producer."""
        own = [batch for batch in self.batches if batch.prefix.producer_id == producer]
        return own[-1] if own else None

    def crash(self, *, keeps_all: bool) -> None:
        """What is not on disk may be gone. What is left, recovery syncs."""
        if not keeps_all:
            self.batches = [b for b in self.batches if b.next_offset <= self.durable_offset]
            self.next_offset = self.durable_offset
        self.durable_offset = self.next_offset
        self.snapshots = {at: s for at, s in self.snapshots.items() if at <= self.next_offset}


class ListState:
    """A log of state: changes in their order."""

    def __init__(self) -> None:
        self.changes: list[Mapping[bytes, bytes | None]] = []
        self.durable_offset = 0

    def entries(self) -> dict[bytes, bytes]:
        """The last values."""
        merged: dict[bytes, bytes | None] = {}
        for change in self.changes:
            merged.update(change)
        return {key: value for key, value in merged.items() if value is not None}

    def crash(self, *, keeps_all: bool) -> None:
        """What is not on disk may be gone. What is left, recovery syncs."""
        if not keeps_all:
            del self.changes[self.durable_offset :]
        self.durable_offset = len(self.changes)
