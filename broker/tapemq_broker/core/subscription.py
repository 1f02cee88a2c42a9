"""A session's reading of a topic: positions, credit, and whose turn it is."""

from collections import OrderedDict
from dataclasses import dataclass

from tapemq_broker.core.effects import Deliver, SubscriptionKey
from tapemq_broker.core.partition import Partition

DELIVERY_BYTES_MAX = 512 * 1024
"""Most bytes of one delivery (unless one batch is larger): what a turn of the loop can afford."""


@dataclass(slots=True, eq=False)
class Reader:
    """Reading of one partition, from ``position`` on."""

    partition: Partition
    generation: int
    position: int

    @property
    def is_behind(self) -> bool:
        """There is something to send."""
        return self.position < self.partition.durable_offset


class Subscription:
    """What one stream of a client may be sent. ``group`` is None for a reader without a group.

    One delivery is under way at a time, so that credit is overdrawn by one batch at most; the
    partitions take turns. ``reads_all``: without a group, every partition that there will be.
    """

    def __init__(
        self,
        key: SubscriptionKey,
        topic_id: int,
        group: str | None,
        member: str,
        credit_records: int,
        credit_bytes: int,
        *,
        reads_all: bool = False,
    ) -> None:
        self.key = key
        self.topic_id = topic_id
        self.group = group
        self.member = member
        self.credit_records = credit_records
        self.credit_bytes = credit_bytes
        self.reads_all = reads_all
        self.readers: dict[int, Reader] = {}
        self._line: OrderedDict[int, Reader] = OrderedDict()
        self._sending: Reader | None = None

    def attach(self, reader: Reader) -> None:
        """Read a partition from now on."""
        self.readers[reader.partition.number] = reader
        self.wake(reader)

    def detach(self, partition: int) -> Reader | None:
        """Read a partition no more; who did. A delivery of it that is under way is void."""
        reader = self.readers.pop(partition, None)
        self._line.pop(partition, None)
        if reader is self._sending:
            self._sending = None
        return reader

    def wake(self, reader: Reader) -> None:
        """Let a reader stand in line, if there is something for it."""
        if reader is not self._sending and reader.is_behind:
            self._line[reader.partition.number] = reader

    def next_delivery(self) -> Deliver | None:
        """The delivery to start now, if there is anything to send and credit to send it on."""
        while self._sending is None and self.credit_records > 0 and self.credit_bytes > 0:
            if not self._line:
                return None
            _, reader = self._line.popitem(last=False)
            # Retention may have passed a reader by; what is gone shows as a jump of offsets.
            reader.position = max(reader.position, reader.partition.first_offset)
            if reader.is_behind:
                self._sending = reader
                return self._deliver(reader)
        return None

    def _deliver(self, reader: Reader) -> Deliver:
        return Deliver(
            self.key,
            reader.partition.log,
            reader.generation,
            reader.position,
            min(reader.partition.durable_offset, reader.position + self.credit_records),
            min(self.credit_bytes, DELIVERY_BYTES_MAX),
        )

    def settle(
        self, partition: int, generation: int, next_offset: int, records: int, size_bytes: int
    ) -> None:
        """A delivery was sent. A void one costs, too: the client gives its credit back."""
        self.credit_records -= records
        self.credit_bytes -= size_bytes
        reader = self._sending
        if not self.is_sending(partition, generation) or reader is None:
            return
        self._sending = None
        if next_offset > reader.position:
            reader.position = next_offset
            self.wake(reader)

    def is_sending(self, partition: int, generation: int) -> bool:
        """Whether this is the delivery under way."""
        reader = self._sending
        return (
            reader is not None
            and reader.partition.number == partition
            and reader.generation == generation
        )

    def grant(self, records: int, size_bytes: int) -> None:
        """The client has room for more."""
        self.credit_records += records
        self.credit_bytes += size_bytes
