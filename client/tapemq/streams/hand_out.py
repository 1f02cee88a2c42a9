"""The batch that is being handed out to the application."""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from operator import length_hint

from tapemq.batch import Header, decode_columns
from tapemq.streams.assignment import Assignment
from tapemq.streams.record import Record, Source
from tapemq.streams.record_batch import RecordBatch, records_of


class HandOut:
    """A batch and how far it was handed out.

    The position is asked of the iterator over the values, so that nothing is counted per record.
    """

    def __init__(self, assignment: Assignment, batch: RecordBatch) -> None:
        self.assignment = assignment
        self.batch = batch
        self._values = iter(batch.values)
        self._records = records_of(batch, self._values)
        self._end = batch.next_offset

    @property
    def next_offset(self) -> int:
        """The first offset that was not handed out."""
        return self._end - length_hint(self._values)

    @property
    def exhausted(self) -> bool:
        """All of it was handed out."""
        return not length_hint(self._values)

    def take(self, count: int) -> Iterator[Record]:
        """The next records, at most ``count``."""
        return islice(self._records, count)

    def take_batch(self) -> RecordBatch:
        """All that is left."""
        batch = tail(self.batch, self.next_offset)
        deque(self._values, maxlen=0)
        return batch

    def stop(self) -> None:
        """Hand out no more of it; ``next_offset`` stays."""
        self._end = self.next_offset
        deque(self._values, maxlen=0)


def tail(batch: RecordBatch, offset: int) -> RecordBatch:
    """What of a batch lies at ``offset`` or behind."""
    skip = offset - batch.first_offset
    if skip <= 0:
        return batch
    return RecordBatch(
        batch.source,
        offset,
        batch.values[skip:],
        None if batch.keys is None else batch.keys[skip:],
        None if batch.extras is None else batch.extras[skip:],
    )


def decode_batch(topic: str, header: Header, body: memoryview) -> RecordBatch:
    """The records of a data batch. Raises BatchError."""
    source = Source(topic, header.log_id.partition, header.append_time_us)
    return RecordBatch(source, header.base_offset, *decode_columns(body))
