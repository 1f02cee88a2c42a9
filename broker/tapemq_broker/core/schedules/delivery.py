"""The batch that a firing appends to its partition."""

from typing import NamedTuple

from tapemq.batch import checksum, decode_prefix, encode_body
from tapemq_broker.core.effects import Append
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.schedules.book import ActiveFiring
from tapemq_broker.core.schedules.schedule import SCHEDULER_ID, columns_of, flags_of


class Appending(NamedTuple):
    """``append`` is None if the batch is in the log already; durable at ``next_offset``, it is."""

    append: Append | None
    next_offset: int


def body_of(firing: ActiveFiring, now_us: int) -> bytes:
    """The body that a firing appends."""
    entry = firing.entry
    records = [one.schedule.record for one in firing.due for _ in one.times.fire_us]
    return encode_body(
        columns_of(records),
        producer_id=SCHEDULER_ID,
        producer_epoch=entry.epoch,
        first_sequence=entry.first_sequence,
        producer_time_us=now_us,
        flags=flags_of(records),
    )


def deliver(partition: Partition, body: bytes, heard_us: int) -> Appending:
    """Give a firing's body its place in its partition, or find where it is.

    ``heard_us``: see Broker.publish(). Raises Refused: the partition is damaged, or does not know
    the scheduler any more.
    """
    published = partition.publish(body, decode_prefix(body), checksum(body), heard_us)
    return Appending(published.append, published.next_offset)
