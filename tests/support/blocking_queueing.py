"""Queues without asyncio that read from the fake broker."""

from collections.abc import Callable
from itertools import islice

from tapemq import sync
from tapemq.wire import messages as m
from tests.support.blocking import BrokerThread
from tests.support.fake_broker.queues import FakeQueue
from tests.support.reading import fill


class QueueWorld:
    """A broker with a topic of ten records, and a client of it."""

    def __init__(self, thread: BrokerThread, client: sync.Client) -> None:
        self.thread = thread
        self.client = client
        thread.call(lambda: fill(thread.broker.create("t"), 3, 3, 4))
        self.topic = thread.broker.topics["t"]

    def queue(self, **options: object) -> sync.Queue:
        return self.client.queue("t", **{"group": "g", **options})  # type: ignore[arg-type]

    @property
    def group(self) -> FakeQueue:
        return self.thread.broker.queues.groups[self.topic.topic_id, "g"]

    def said(self, verb: str) -> list[int]:
        """The offsets that were settled so, in order."""
        return self.thread.call(lambda: self.group.offsets(verb))

    def settled(self, count: int) -> None:
        """Wait until so many messages were settled, of those that were not lost."""
        frames = 0
        while self.thread.call(lambda: len(self.group.history)) < count:
            frames = len(self.thread.received(m.Settle, frames + 1))

    def lose(self) -> None:
        """Let the broker take all leases back, and the client learn it."""
        self.thread.call(self.thread.broker.queues.lose)
        self.client.topics()

    def set(self, **attributes: int) -> None:
        """Of the broker's queues."""

        def set_all() -> None:
            for name, value in attributes.items():
                setattr(self.thread.broker.queues, name, value)

        self.thread.call(set_all)


def take(queue: sync.Queue, count: int) -> list[sync.Message]:
    """The next messages, none of them settled."""
    return list(islice(queue, count))


def work(
    queue: sync.Queue, count: int, then: Callable[[sync.Message], object] = lambda _: None
) -> list[int]:
    """Handle so many messages."""
    offsets = []
    for message in islice(queue, count):
        with message.process():
            assert message.value == b"%d" % message.offset
            then(message)
            offsets.append(message.offset)
    return offsets
