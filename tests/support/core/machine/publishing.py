"""Rules for publishing: fresh batches, retries, gaps, epochs, a full disk."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.support.core.machine.model import ModelBatch
from tests.support.core.machine.seeing import SeeingMachine, numbers
from tests.support.core.reading import data_log
from tests.support.core.world import FULL

producers = st.integers(0, 2)


class PublishingRules(SeeingMachine):
    """Each producer numbers its batches per partition; producer 0 does not count."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    @rule(
        number=numbers,
        producer=producers,
        epoch=st.sampled_from([0] * 8 + [1, -1]),
        skip=st.sampled_from([0] * 6 + [1, -1, -2]),
        count=st.integers(1, 3),
        durable=st.booleans(),
        disk_full=st.sampled_from([False] * 6 + [True]),
    )
    def publish(
        self,
        number: int,
        producer: int,
        epoch: int,
        skip: int,
        count: int,
        durable: bool,
        disk_full: bool,
    ) -> None:
        """The next batch, or one out of order, or one of another epoch."""
        number %= len(self.partitions)
        known = self.partitions[number].producers.get(producer)
        own_epoch, following = (known.epoch, known.next_sequence) if known else (0, 0)
        sequence = max(0, skip if epoch == 1 else following + skip)
        batch = self._batch(number, producer, max(0, own_epoch + epoch), sequence, count)
        self._send(number, batch, durable, disk_full)

    @rule(number=numbers, producer=st.integers(1, 2), back=st.integers(1, 70))
    def publish_again(self, number: int, producer: int, back: int) -> None:
        """A retry, with the boundaries of the first try."""
        number %= len(self.partitions)
        known = self.partitions[number].producers.get(producer)
        if known is not None and known.batches:
            first = known.batches[-min(back, len(known.batches))]
            count = len(first.values)
            batch = self._batch(number, producer, known.epoch, first.sequence, count)
            self._send(number, batch, durable=True, disk_full=False)

    def _batch(
        self, number: int, producer: int, epoch: int, sequence: int, count: int
    ) -> ModelBatch:
        """A batch as it would be appended; every value is unique."""
        self._count += 1
        values: list[bytes | None] = [b"%d.%d" % (self._count, n) for n in range(count)]
        return ModelBatch(producer, epoch, sequence, values, self.partitions[number].next_offset)

    def _send(self, number: int, batch: ModelBatch, durable: bool, disk_full: bool) -> None:
        model = self.partitions[number]
        producer, epoch, sequence, values, offset = batch
        verdict = model.judge(producer, epoch, sequence, len(values))
        self.world.disk_full = disk_full
        request = self.world.publish(
            data_log(number),
            *values,
            producer=producer,
            epoch=epoch,
            sequence=sequence,
            durable=durable,
        )
        self.world.disk_full = False
        if verdict == "append" and disk_full:
            model.refuse(batch)
            self.expect_now(request, FULL.name)
        elif verdict == "append":
            model.append(batch)
            self.expect_receipt(request, number, offset, batch.next_offset, duplicate=False)
        elif isinstance(verdict, int):
            end = verdict + len(values)
            self.expect_receipt(request, number, verdict, end, duplicate=True)
        else:
            self.expect_now(request, verdict)
