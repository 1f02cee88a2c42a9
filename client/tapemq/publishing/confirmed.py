"""Publishing single records with asyncio, each of which waits for its receipt."""

import asyncio

from tapemq import errors
from tapemq._clock import Clock
from tapemq.errors import Error
from tapemq.network.link import Link
from tapemq.publishing.item import Item
from tapemq.publishing.lane import LaneOptions
from tapemq.publishing.outbox import Outbox, Pending
from tapemq.publishing.publisher import Publisher
from tapemq.publishing.receipt import Receipt


class PendingPublish(Pending):
    """A record that a future waits for."""

    __slots__ = ("future",)

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

    def resolve(self, receipt: Receipt) -> None:
        if not self.future.done():
            self.future.set_result(receipt)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class ConfirmedPublisher:
    """The client's own publisher for a topic. Records leave in the order of the calls."""

    def __init__(
        self, link: Link, clock: Clock, topic: str, options: LaneOptions, timeout_s: float
    ) -> None:
        self.topic = topic
        self._link = link
        self._publisher = Publisher(link, clock, topic, options, timeout_s)
        self._outbox = Outbox(self._publisher)
        self._awaited: set[asyncio.Future[Receipt]] = set()
        self._opening = asyncio.create_task(self._open())

    @property
    def failed(self) -> bool:
        """Nothing more is taken."""
        return self._publisher.failure is not None

    @property
    def idle(self) -> bool:
        """Everything is confirmed."""
        return self._outbox.idle

    async def _open(self) -> None:
        while True:
            try:
                await self._publisher.open()
            except errors.TimeoutError:
                continue  # each record has a deadline of its own
            except Error as error:
                self._outbox.fail(error)
            else:
                self._outbox.route()
            return

    async def publish(
        self, item: Item, partition: int | None, level: int, timeout_s: float
    ) -> Receipt:
        """Publish one record and wait for its receipt. Cancelled or too late, it is withdrawn
        if it was not sent yet. Raises Error."""
        pending = PendingPublish(self.topic)
        self._outbox.put(item, partition, level, pending)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(timeout_s, self._expire, pending, timeout_s)
        self._awaited.add(pending.future)
        try:
            return await pending.future
        except asyncio.CancelledError:
            if pending.future.cancelled():  # not if its time was over just before
                self._outbox.withdraw(pending)
            raise
        finally:
            timer.cancel()
            self._awaited.discard(pending.future)

    def _expire(self, pending: PendingPublish, timeout_s: float) -> None:
        if not pending.future.done():  # else it was cancelled just before, or its receipt came
            pending.fail(self._outbox.give_up(pending, timeout_s, self._publisher.hindrance()))

    async def drain(self, timeout: float) -> bool:
        """Wait until every receipt that somebody waits for has come, or will not, for at most
        ``timeout`` s. Whether that is so."""
        if not self._awaited:
            return True
        self._publisher.hurry()
        _, unconfirmed = await asyncio.wait(self._awaited, timeout=timeout)
        return not unconfirmed

    def close(self, error: Error) -> None:
        """Give up what is unconfirmed."""
        self._opening.cancel()
        self._outbox.fail(error)
