"""Publishing single records without asyncio, each of which waits for its receipt."""

from tapemq.errors import Error
from tapemq.publishing.choices import publish_lanes
from tapemq.publishing.item import Item
from tapemq.publishing.outbox import Outbox, Pending
from tapemq.publishing.receipt import Receipt
from tapemq.sync.link import Link
from tapemq.sync.promise import Promise
from tapemq.sync.publisher import Publisher
from tapemq.sync.shared import Shared
from tapemq.wire.names import check_name


class PendingPublish(Pending):
    """A record that a thread waits for."""

    __slots__ = ("promise",)

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.promise: Promise[Receipt] = Promise()

    def resolve(self, receipt: Receipt) -> None:
        self.promise.resolve(receipt)

    def fail(self, error: Exception) -> None:
        self.promise.reject(error)


class ConfirmedPublisher:
    """The client's own publisher for a topic. Records leave in the order of the calls."""

    def __init__(self, link: Link, shared: Shared, topic: str) -> None:
        self.topic = check_name("topic", topic)
        self._link = link
        self._shared = shared
        self._publisher = Publisher(
            link,
            shared,
            topic,
            publish_lanes(link.limits),
            on_open=lambda: self._outbox.route(),
            on_refusal=lambda error: self._outbox.fail(error),
        )
        self._outbox = Outbox(self._publisher)
        self._awaited: set[PendingPublish] = set()
        self._is_begun = False

    @property
    def failed(self) -> bool:
        """Nothing more is taken."""
        return self._publisher.failure is not None

    @property
    def idle(self) -> bool:
        """Everything is confirmed."""
        return self._outbox.idle

    def put(self, item: Item, partition: int | None, level: int) -> PendingPublish:
        """Take one record; to be called under the lock. Raises Error."""
        pending = PendingPublish(self.topic)
        self._outbox.put(item, partition, level, pending)
        self._awaited.add(pending)
        if not self._is_begun:
            self._is_begun = True
            self._publisher.begin()
        return pending

    def wait(self, pending: PendingPublish, timeout_s: float) -> Receipt:
        """Wait for the receipt. Interrupted or too late, the record is withdrawn if it was not
        sent yet. Raises Error."""
        shared = self._shared
        try:
            if not pending.promise.wait(timeout_s):
                with shared.lock, shared.turn:
                    self._expire(pending, timeout_s)
            return pending.promise.result()
        except BaseException:
            with shared.lock, shared.turn:
                if not pending.promise.done:
                    self._outbox.withdraw(pending)
            raise
        finally:
            with shared.lock:
                self._awaited.discard(pending)

    def _expire(self, pending: PendingPublish, timeout_s: float) -> None:
        if not pending.promise.done:  # else it came just now
            pending.fail(self._outbox.give_up(pending, timeout_s, self._publisher.hindrance()))

    def awaited(self) -> list[PendingPublish]:
        """What other threads wait for now, and is to leave at once; to be called under the lock."""
        if self._awaited:
            self._publisher.hurry()
        return list(self._awaited)

    def close(self, error: Error) -> None:
        """Give up what is unconfirmed; to be called under the lock."""
        self._outbox.fail(error)
