"""What a partition and a group are, in the simplest terms: lists and dictionaries."""

from typing import NamedTuple

from tests.support.core.list_log import Value

WINDOW = 64


class ModelBatch(NamedTuple):
    """A batch that was appended."""

    producer: int
    epoch: int
    sequence: int
    values: list[Value]
    offset: int

    @property
    def next_sequence(self) -> int:
        return self.sequence + len(self.values)

    @property
    def next_offset(self) -> int:
        return self.offset + len(self.values)


class ModelProducer:
    """What a partition has to remember of a producer."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.next_sequence = 0
        self.batches: list[ModelBatch] = []

    def judge(self, sequence: int, count: int) -> str | int:
        """ "append", the offset of the first try, or the name of a refusal."""
        if sequence == self.next_sequence:
            return "append"
        if sequence > self.next_sequence:
            return "out_of_order"
        for batch in self.batches[-WINDOW:]:
            if (batch.sequence, len(batch.values)) == (sequence, count):
                return batch.offset
            if batch.sequence < sequence + count and sequence < batch.next_sequence:
                return "bad_request"
        return "unknown_producer"


class ModelPartition:
    """Batches in their order, and what follows from them."""

    def __init__(self) -> None:
        self.batches: list[ModelBatch] = []
        self.first_offset = 0
        self.durable_offset = 0
        self.acknowledged_offset = 0
        self.producers: dict[int, ModelProducer] = {}

    @property
    def next_offset(self) -> int:
        return self.batches[-1].next_offset if self.batches else 0

    def judge(self, producer: int, epoch: int, sequence: int, count: int) -> str | int:
        """What is to become of a batch."""
        known = self.producers.get(producer)
        if producer == 0:
            return "append"
        if known is None or epoch > known.epoch:
            return "unknown_producer" if sequence else "append"
        return "fenced" if epoch < known.epoch else known.judge(sequence, count)

    def append(self, batch: ModelBatch) -> None:
        self._producer(batch).batches.append(batch)
        self._producer(batch).next_sequence = batch.next_sequence
        self.batches.append(batch)

    def refuse(self, batch: ModelBatch) -> None:
        """A full disk does not take a batch; its producer is known all the same."""
        if batch.producer:
            self._producer(batch)

    def _producer(self, batch: ModelBatch) -> ModelProducer:
        known = self.producers.get(batch.producer)
        if known is None or known.epoch != batch.epoch:
            known = self.producers[batch.producer] = ModelProducer(batch.epoch)
        return known

    def records(self, offset: int, next_offset: int) -> list[tuple[int, Value]]:
        """Offsets and values of a range."""
        found = [item for batch in self.batches for item in enumerate(batch.values, batch.offset)]
        return [item for item in found if offset <= item[0] < next_offset]

    def truncate(self, first_offset: int) -> None:
        self.first_offset = first_offset

    def crash(self, next_offset: int) -> None:
        """Only what is below ``next_offset`` is left."""
        assert next_offset >= self.acknowledged_offset
        left = [batch for batch in self.batches if batch.next_offset <= next_offset]
        self.batches, self.producers = [], {}
        for batch in left:
            self.append(batch)
        assert self.next_offset == next_offset
        self.durable_offset = next_offset
