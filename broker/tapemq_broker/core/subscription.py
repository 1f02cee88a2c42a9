"""A session's reading of a topic: positions, and credit."""

from dataclasses import dataclass, field

from tapemq_broker.core.effects import Deliver, SubscriptionKey
from tapemq_broker.core.partition import Partition

DELIVERY_BYTES_MAX = 512 * 1024
"""Most bytes of one delivery (unless one batch is larger): what a turn of the loop can afford."""


@dataclass(slots=True)
class Reader:
    """Reading of one partition. ``busy``: a delivery is being read and sent."""

    partition: Partition
    generation: int
    position: int
    busy: bool = False


@dataclass(slots=True)
class Subscription:
    """What one stream of a client may be sent. ``group`` is None for a reader without a group."""

    key: SubscriptionKey
    topic_id: int
    group: str | None
    member: str
    credit_records: int
    credit_bytes: int
    readers: dict[int, Reader] = field(default_factory=dict)

    def next_delivery(self, reader: Reader) -> Deliver | None:
        """The delivery to start now, if there is anything to send and credit to send it on."""
        partition = reader.partition
        visible = partition.durable_offset
        if reader.busy or self.credit_records <= 0 or self.credit_bytes <= 0:
            return None
        # Retention may have passed a reader by; what is gone shows as a jump of offsets.
        reader.position = max(reader.position, partition.first_offset)
        if reader.position >= visible or partition.damage:
            return None
        reader.busy = True
        return Deliver(
            self.key,
            partition.log,
            reader.generation,
            reader.position,
            min(visible, reader.position + self.credit_records),
            min(self.credit_bytes, DELIVERY_BYTES_MAX),
        )

    def spend(self, records: int, size_bytes: int) -> None:
        """Something was sent."""
        self.credit_records -= records
        self.credit_bytes -= size_bytes

    def grant(self, records: int, size_bytes: int) -> None:
        """The client has room for more."""
        self.credit_records += records
        self.credit_bytes += size_bytes
