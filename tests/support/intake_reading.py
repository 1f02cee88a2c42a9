"""An intake without a stream: what the broker pushes, and what the application takes."""

from itertools import islice

from tapemq.batch import Columns, encode_body
from tapemq.streams.assignment import Assignment
from tapemq.streams.credit import Grant
from tapemq.streams.intake import Intake
from tapemq.wire import messages as m
from tests.support.fake_broker import FakePartition

SUBSCRIPTION = 1


class Reading:
    """An intake with a broker's log of batches of three records behind it."""

    def __init__(self, partitions: int = 1, window: Grant | None = None) -> None:
        self.intake = Intake("t")
        self.intake.subscribed(SUBSCRIPTION, window or Grant(1000, 1_000_000))
        self.logs = [FakePartition(1, number) for number in range(partitions)]
        self.generation = 0
        for log in self.logs:
            for first in range(0, 30, 3):
                values = [b"%d" % offset for offset in range(first, first + 3)]
                log.append(encode_body(Columns(values)), 3)

    def assign(self, offset: int = 0, partition: int = 0, seek_epoch: int = 0) -> Assignment:
        self.generation += 1
        self.intake.assigned(
            m.Assigned(SUBSCRIPTION, partition, self.generation, offset, seek_epoch)
        )
        return self.intake.assignments[partition]

    def deliver(self, offset: int, partition: int = 0, *, generation: int | None = None) -> None:
        """The batch that holds the offset."""
        stored = self.logs[partition].batches[offset // 3]
        self.intake.delivered(
            m.Deliver(
                SUBSCRIPTION,
                partition,
                self.generation if generation is None else generation,
                offset,
                stored.next_offset,
                stored.next_offset - offset,
            ),
            memoryview(stored.data),
        )

    def take(self, count: int = 1000) -> list[int]:
        """Hand out so many records, with the last one in hand."""
        offsets: list[int] = []
        while len(offsets) < count:
            hand = self.intake.next_hand()
            if hand is None:
                break
            self.intake.hold(1)
            records = islice(hand.records, count - len(offsets))
            offsets += [record.offset for record in records]
        return offsets

    def handled(self, partition: int = 0) -> int:
        return self.intake.handled(self.intake.assignments[partition])

    def position(self, partition: int = 0) -> int:
        return self.intake.position(self.intake.assignments[partition])
