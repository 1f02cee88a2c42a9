"""Single records on their way, each of which somebody waits for. Without I/O."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from tapemq import errors
from tapemq.errors import Error, IndeterminateError
from tapemq.publishing.item import Item
from tapemq.publishing.lane import Lane
from tapemq.publishing.open_batch import OpenBatch
from tapemq.publishing.receipt import Receipt, durability_of
from tapemq.publishing.router import Router
from tapemq.wire import messages as m
from tapemq.wire.partitions import check_partition


class Pending(ABC):
    """A record that waits for its receipt (a Waiter). A shell says how."""

    __slots__ = ("batch", "lane", "topic")

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.batch: OpenBatch | None = None
        self.lane: Lane | None = None

    def settle(self, partition: int, offset: int, receipt: m.Receipt) -> None:
        level = durability_of(receipt.level)
        self.resolve(
            Receipt(self.topic, partition, offset, receipt.duplicate, level, receipt.append_time_us)
        )

    @abstractmethod
    def resolve(self, receipt: Receipt) -> None:
        """Here it is. Nothing happens if nobody waits any more."""

    @abstractmethod
    def fail(self, error: Exception) -> None:
        """There will be none. Nothing happens if nobody waits any more."""


class _Unrouted(NamedTuple):
    """A record whose topic is being looked up."""

    item: Item
    partition: int | None
    level: int


class Outbox:
    """The records of one topic, in the order of the calls."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._unrouted: dict[Pending, _Unrouted] | None = {}

    @property
    def idle(self) -> bool:
        """The topic is known, and everything is confirmed."""
        return self._unrouted is None and self._router.idle

    def put(self, item: Item, partition: int | None, level: int, pending: Pending) -> None:
        """Send a record, or keep it until the topic is known.

        Raises PartitionNotFound, TypeError.
        """
        partition = check_partition(partition)
        if self._unrouted is None:
            pending.lane = self._router.add(item, partition, level, pending)
        else:
            self._unrouted[pending] = _Unrouted(item, partition, level)

    def route(self) -> None:
        """The topic is known."""
        unrouted, self._unrouted = self._unrouted or {}, None
        for pending, (item, partition, level) in unrouted.items():
            try:
                pending.lane = self._router.add(item, partition, level, pending)
            except Error as error:
                pending.fail(error)

    def fail(self, error: Error) -> None:
        """Give all of them up."""
        self._router.fail(error)
        unrouted, self._unrouted = self._unrouted or {}, None
        for pending in unrouted:
            pending.fail(error)

    def withdraw(self, pending: Pending) -> bool:
        """Whether the record was not sent, and will not be."""
        batch = pending.batch
        if batch is None:
            if self._unrouted is not None:
                self._unrouted.pop(pending, None)
        elif batch.sealed:
            return False
        else:
            batch.discard(pending)
            if pending.lane is not None:
                self._router.relieve(pending.lane)
        return True

    def give_up(self, pending: Pending, timeout_s: float, hindrance: str) -> Error:
        """The time is over: withdraw the record if that can be done. What to tell who waits."""
        topic = pending.topic
        if self.withdraw(pending):
            return errors.TimeoutError(
                f"a record for {topic} could not be sent within {timeout_s:g} s{hindrance}"
            )
        return IndeterminateError(
            f"no receipt from {topic} within {timeout_s:g} s: the record may be in the "
            f"log, now or later, or not{hindrance}"
        )
