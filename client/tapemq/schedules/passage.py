"""One topic's schedules on their way to the broker, without I/O: both shells build on it."""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from tapemq import errors
from tapemq.batch import checksum
from tapemq.errors import (
    Closed,
    ConnectionLost,
    Error,
    IndeterminateError,
    PartitionNotFound,
    PayloadTooLarge,
)
from tapemq.infos import time_of
from tapemq.publishing.item import Item
from tapemq.schedules.plan import Plan
from tapemq.schedules.receipt import ScheduleReceipt
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tapemq.wire.names import check_name
from tapemq.wire.partitions import levels_of, partition_at, partition_of

SCHEDULERS_MAX: Final = 1000
"""Coming back to a topic that was given up costs two requests."""

S = TypeVar("S")


def scheduler_of(schedulers: dict[str, S], topic: str, make: Callable[[str], S]) -> S:
    """A topic's, which is made if there is none; ``schedulers`` are in the order of their use.

    Who schedules in ever new topics must not keep something of each for ever. One that is given up
    goes on with what it was asked for. Raises ValueError for what can be no topic.
    """
    scheduler = schedulers.pop(topic, None)
    if scheduler is None:
        scheduler = make(check_name("topic", topic))
    schedulers[topic] = scheduler
    if len(schedulers) > SCHEDULERS_MAX:
        del schedulers[next(iter(schedulers))]
    return scheduler


class Target(NamedTuple):
    """Where a record is to come."""

    topic_id: int
    partition: int


class Passage:
    """What became of a call so far: the record was sent, and an answer was lost."""

    def __init__(self, topic: str) -> None:
        self.sent = False
        self._topic = topic
        self._uncertain = False

    def missed(self, error: Error) -> None:
        """It was sent, and this came instead of an answer."""
        self._uncertain |= isinstance(error, ConnectionLost)

    def heed(self, error: errors.RequestRefused) -> bool:
        """Whether the next attempt needs another identity, and not just a new look at the topic.

        Raises what no attempt changes.
        """
        if error.code == wire.STALE_METADATA.name:
            return False
        if self._uncertain:
            raise IndeterminateError(f"{self._topic}: {error}; the record may be scheduled")
        if error.code != wire.UNKNOWN_PRODUCER.name:
            raise error
        return True

    def closed(self, error: Closed) -> Error:
        """What to raise when the client was closed."""
        if self._uncertain:
            return IndeterminateError(f"{self._topic}: {error}; the record may be scheduled")
        return error

    def late(self, timeout_s: float, hindrance: str) -> Error:
        """What to raise when the time has passed."""
        return late(self._topic, self.sent, timeout_s, hindrance)


class Compass:
    """Where a topic's records are to come: by key, or one partition after the other.

    ``route``: the topic as it is known; None: it is to be looked up.
    """

    def __init__(self, topic: str) -> None:
        self.topic: Final = topic
        self.route: m.Topic | None = None
        self._next_partition = 0

    def target(self, item: Item, partition: int | None) -> Target:
        """Of a record, by the route. Raises PartitionNotFound."""
        assert self.route is not None
        count = self.route.partitions
        if partition is None:
            levels = levels_of(self.route.settings)
            number = self._number(item.key, count // levels)
            partition = partition_at(number, levels, item.priority)
        if not 0 <= partition < count:
            raise PartitionNotFound(
                f"topic {self.topic!r} has no partition {partition}: it has {count}, counted from 0"
            )
        return Target(self.route.topic_id, partition)

    def _number(self, key: bytes | None, partitions: int) -> int:
        """Which one of so many partitions is a key's, or has its turn."""
        if key is not None:
            return partition_of(key, partitions)
        self._next_partition += 1
        return (self._next_partition - 1) % partitions


def check_size(body: bytes, limits: m.Welcome) -> None:
    """Raise PayloadTooLarge for a body for which this session would be ended, and each new one: the
    broker may take less than when its records were gathered."""
    if len(body) > limits.batch_bytes_max:
        raise PayloadTooLarge(
            f"{len(body)} bytes to be scheduled together; the broker's batch_bytes_max is "
            f"{limits.batch_bytes_max} now: raise that, or publish smaller records"
        )


def late(topic: str, sent: bool, timeout_s: float, hindrance: str) -> Error:
    """What becomes of a call whose time has passed."""
    within = f"within {timeout_s:g} s{hindrance}"
    if sent:
        return IndeterminateError(f"no receipt from {topic} {within}: the record may be scheduled")
    return errors.TimeoutError(f"a record for {topic} could not be scheduled {within}")


def request(target: Target, body: bytes, plan: Plan) -> m.Schedule:
    """The message that says so."""
    return m.Schedule(
        topic_id=target.topic_id,
        partition=target.partition,
        checksum=checksum(body),
        due_us=plan.due.due_us,
        delay_ms=plan.due.delay_ms,
        key=plan.key,
        cron=plan.cron,
        time_zone=plan.time_zone,
        every_ms=plan.every_ms,
        catch_up=plan.catch_up,
    )


def receipt(topic: str, partition: int, answer: m.Scheduled) -> ScheduleReceipt:
    """What the caller gets."""
    due = time_of(answer.due_us)
    return ScheduleReceipt(
        topic, partition, answer.schedule_id, due, answer.duplicate, answer.replaced
    )
