"""Publishing single records, each of which waits for its receipt."""

import asyncio
from typing import NamedTuple

from tapemq import errors
from tapemq._clock import Clock
from tapemq.errors import Error, IndeterminateError
from tapemq.network.link import Link
from tapemq.publishing.item import Item
from tapemq.publishing.lane import LaneOptions
from tapemq.publishing.open_batch import OpenBatch
from tapemq.publishing.publisher import Publisher
from tapemq.publishing.receipt import Receipt, durability_of
from tapemq.wire import messages as m


class PendingPublish:
    """A record that waits for its receipt (a Waiter)."""

    __slots__ = ("batch", "future", "topic")

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.batch: OpenBatch | None = None
        self.future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

    def settle(self, partition: int, offset: int, receipt: m.Receipt) -> None:
        if not self.future.done():
            self.future.set_result(
                Receipt(
                    self.topic,
                    partition,
                    offset,
                    receipt.duplicate,
                    durability_of(receipt.level),
                    receipt.append_time_us,
                )
            )

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Unrouted(NamedTuple):
    """A record whose topic is being looked up."""

    item: Item
    partition: int | None
    level: int
    pending: PendingPublish


class ConfirmedPublisher:
    """The client's own publisher for a topic. Records leave in the order of the calls."""

    def __init__(
        self, link: Link, clock: Clock, topic: str, options: LaneOptions, timeout_s: float
    ) -> None:
        self.topic = topic
        self._link = link
        self._publisher = Publisher(link, clock, topic, options, timeout_s)
        self._unrouted: list[_Unrouted] | None = []
        self._awaited: set[asyncio.Future[Receipt]] = set()
        self._opening = asyncio.create_task(self._open())

    @property
    def failed(self) -> bool:
        """Nothing more is taken."""
        return self._publisher.failure is not None

    async def _open(self) -> None:
        while True:
            try:
                await self._publisher.open()
            except errors.TimeoutError:
                continue  # each record has a deadline of its own
            except Error as error:
                self._fail(error)
            else:
                self._route()
            return

    def _route(self) -> None:
        unrouted, self._unrouted = self._unrouted or [], None
        for item, partition, level, pending in unrouted:
            try:
                self._publisher.add(item, partition, level, pending)
            except Error as error:
                pending.fail(error)

    def _fail(self, error: Error) -> None:
        self._publisher.fail(error)
        unrouted, self._unrouted = self._unrouted or [], None
        for waiting in unrouted:
            waiting.pending.fail(error)

    async def publish(
        self, item: Item, partition: int | None, level: int, timeout_s: float
    ) -> Receipt:
        """Publish one record and wait for its receipt. Cancelled or too late, it is withdrawn
        if it was not sent yet. Raises Error."""
        pending = PendingPublish(self.topic)
        if self._unrouted is None:
            self._publisher.add(item, partition, level, pending)
        else:
            self._unrouted.append(_Unrouted(item, partition, level, pending))
        loop = asyncio.get_running_loop()
        timer = loop.call_later(timeout_s, self._expire, pending, timeout_s)
        self._awaited.add(pending.future)
        try:
            return await pending.future
        except asyncio.CancelledError:
            self._withdraw(pending)
            raise
        finally:
            timer.cancel()
            self._awaited.discard(pending.future)

    def _expire(self, pending: PendingPublish, timeout_s: float) -> None:
        if self._withdraw(pending):
            error: Error = errors.TimeoutError(
                f"a record for {self.topic} could not be sent within {timeout_s:g} s"
                f"{self._link.hindrance()}"
            )
        else:
            error = IndeterminateError(
                f"no receipt from {self.topic} within {timeout_s:g} s: the record may be in the "
                "log, now or later, or not"
            )
        pending.fail(error)

    def _withdraw(self, pending: PendingPublish) -> bool:
        """Whether the record was not sent, and will not be."""
        batch = pending.batch
        if batch is None:
            self._unrouted = [
                waiting for waiting in self._unrouted or [] if waiting.pending is not pending
            ]
        elif batch.sealed:
            return False
        else:
            batch.discard(pending)
        return True

    async def drain(self) -> None:
        """Wait until every receipt that somebody waits for has come, or will not."""
        if self._awaited:
            self._publisher.hurry()
            await asyncio.wait(self._awaited)

    def close(self, error: Error) -> None:
        """Give up what is unconfirmed."""
        self._opening.cancel()
        self._fail(error)
