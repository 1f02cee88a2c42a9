"""The records that are being handed out to the application."""

from collections import deque
from collections.abc import Iterator
from operator import length_hint

from tapemq.batch import Header, decode_runs
from tapemq.streams.assignment import Assignment
from tapemq.streams.record import Source
from tapemq.streams.record_batch import RecordBatch, records_of


class Handing:
    """A run of records and how far it was handed out.

    The position is asked of the iterator over the values, so that nothing is counted per record.
    """

    def __init__(self, batch: RecordBatch) -> None:
        self.batch = batch
        self._values = iter(batch.values)
        self._end = batch.next_offset

    @property
    def next_offset(self) -> int:
        """The first offset that was not handed out."""
        return self._end - length_hint(self._values)

    @property
    def exhausted(self) -> bool:
        """All of it was handed out."""
        return not length_hint(self._values)

    def take_batch(self) -> RecordBatch:
        """All that is left."""
        batch = tail(self.batch, self.next_offset)
        deque(self._values, maxlen=0)
        return batch

    def stop(self) -> None:
        """Hand out no more of it; ``next_offset`` stays."""
        self._end = self.next_offset
        deque(self._values, maxlen=0)


class HandOut(Handing):
    """A run of records of a partition that a stream reads.

    ``settled``: everything below is handled, whatever is in hand.
    """

    def __init__(self, assignment: Assignment, batch: RecordBatch) -> None:
        super().__init__(batch)
        self.assignment = assignment
        self.settled = 0
        self.records = records_of(batch, self._values)
        """The records that were not handed out yet."""


def tail(batch: RecordBatch, offset: int) -> RecordBatch:
    """What of a batch lies at ``offset`` or behind."""
    return part(batch, offset, batch.next_offset)


def part(batch: RecordBatch, first_offset: int, next_offset: int) -> RecordBatch:
    """What of a batch lies from ``first_offset`` on and below ``next_offset``."""
    first = max(first_offset - batch.first_offset, 0)
    rest = slice(first, max(next_offset - batch.first_offset, first))
    if not first and rest.stop >= len(batch):
        return batch
    return RecordBatch(
        batch.source,
        batch.first_offset + first,
        batch.values[rest],
        None if batch.keys is None else batch.keys[rest],
        None if batch.extras is None else batch.extras[rest],
    )


def decode_batch(topic: str, header: Header, body: memoryview) -> Iterator[RecordBatch]:
    """The records of a data batch, some hundred at a time. Raises BatchError."""
    source = Source(topic, header.log_id.partition, header.append_time_us)
    first_offset = header.base_offset
    for columns in decode_runs(body):
        batch = RecordBatch(source, first_offset, *columns)
        yield batch
        first_offset = batch.next_offset
