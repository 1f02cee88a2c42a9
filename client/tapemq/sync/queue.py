"""Reading a topic as a queue without asyncio, message by message or batch by batch."""

import math
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final, Self

from tapemq.batch import BatchError
from tapemq.errors import Closed, CorruptBatch, Error, again
from tapemq.queues.hand import Hand
from tapemq.queues.options import QueueOptions
from tapemq.queues.outcome import Exceptions, check_exceptions, check_function, check_returned
from tapemq.sync.beginning import Beginning
from tapemq.sync.link import Link
from tapemq.sync.message import Message
from tapemq.sync.message_batch import MessageBatch
from tapemq.sync.promise import Promise
from tapemq.sync.queue_subscriber import QueueSubscriber
from tapemq.sync.shared import Shared
from tapemq.timeouts import check_timeout

_WAIT_S: Final = 3600.0
"""So long at a time; then it looks again."""


class Queue:
    """Takes messages as a worker of a queue group; made by ``Client.queue()``.

    ``with client.queue(...) as queue``, then ``for message in queue``. Each message is this
    consumer's until it is settled: best with ``with message.process()``. A thread of the client
    renews its lease for as long as the process lives, also while handlers are busy. Several
    threads may iterate at the same time, and settle what others took; ``get(timeout=)`` takes one
    message, and waits for no longer. A process that was forked has to open a queue of its own, and
    cannot settle what its parent took.

    Leaving the block stops taking, waits for ``process()`` blocks to end (at most 10 s), gives
    back what is not settled, and waits until all settlements are on disk. After a loss of the
    connection the messages of the old one are lost (``message.lease_lost``) and come again, here
    or elsewhere.

    Entering the block raises OffsetOutOfRange for a start beyond the end, and RequestRefused if the
    group is a stream group, or for a setting out of its range. Iterating raises TopicNotFound when
    the topic is deleted, CorruptBatch for data damaged on the way, Closed outside of the ``with``
    block.
    """

    owner: object = None
    """The client, which may be dropped before this is."""

    def __init__(self, link: Link, shared: Shared, options: QueueOptions) -> None:
        self._shared = shared
        self._subscriber = QueueSubscriber(link, shared, options)
        self._intake = self._subscriber.intake
        self._desk = self._subscriber.desk
        # What is left of the latest hand; empty if each message is to be announced.
        self._fresh: Iterator[Message] = iter(())
        self._beginning: Beginning | None = None
        self._is_the_parents = False

    @property
    def lost(self) -> int:
        """How many messages were settled too late, and come (or came) again; or twice."""
        return self._desk.lost

    # Taking messages

    def __iter__(self) -> Iterator[Message]:
        return self._messages()

    def _messages(self) -> Iterator[Message]:
        desk = self._desk
        while True:
            with self._shared.lock:
                message = next(self._fresh, None)
                if message is not None and not desk.scheduled:
                    desk.schedule()  # to say that this one has started
            if message is None and (message := self.get()) is None:
                return
            yield message

    def get(self, *, timeout: float | None = None) -> Message | None:
        """The next message; None if none has come within ``timeout`` seconds, or after stop().

        With 0 only what is here already is taken; with None, one is waited for. Raises what
        iterating raises.
        """
        until = math.inf
        if timeout is not None:
            until = self._shared.time() + check_timeout("timeout", timeout)
        while True:
            with self._shared.lock, self._shared.turn:
                message, change = self._take()
            if message is not None or change is None:
                return message
            left_s = until - self._shared.time()
            if not change.wait(min(left_s, _WAIT_S)) and isinstance(change, Promise):
                with self._shared.lock:
                    self._subscriber.changes.forget(change)
            if left_s <= 0:
                return None

    def _take(self) -> tuple[Message | None, Promise[None] | Beginning | None]:
        """The next message, or what to wait for; neither if nothing more is to be taken."""
        hand, change = self._next_hand()
        if hand is None:
            return None, change
        is_redelivered, before = hand.lease.redelivered, self._beginning
        if is_redelivered and before is not None and not before.is_over:
            return None, before
        message: Message = next(hand.messages)
        if is_redelivered:
            self._begin(message)
        else:
            self._fresh = hand.messages
        self._announce(hand)
        return message, None

    def _begin(self, message: Message | None) -> None:
        before = self._beginning
        self._beginning = None if message is None else Beginning(self._shared, message)
        if before is not None:
            before.end()

    def batches(self) -> Iterator[MessageBatch]:
        """The same messages, up to 512 that were leased together at a time."""
        while True:
            with self._shared.lock, self._shared.turn:
                hand, change = self._next_hand()
                if hand is not None:
                    batch = MessageBatch(hand.lease, hand.take_batch())
                    self._announce(hand)
            if hand is not None:
                yield batch
            elif change is not None:
                change.wait(_WAIT_S)
            else:
                return

    def _announce(self, hand: Hand) -> None:
        """Say that work on a message begins: at once if it came before, as it may be the one that
        kills its process."""
        if hand.lease.redelivered:
            self._desk.flush()
        else:
            self._desk.schedule()

    def _next_hand(self) -> tuple[Hand | None, Promise[None] | None]:
        """What to hand out next, or what to wait for; neither if nothing more is to be."""
        subscriber = self._subscriber
        if subscriber.failure is not None:
            raise again(subscriber.failure)
        if self._desk.stopping:
            return None, None
        try:
            hand = self._intake.next_hand()
        except BatchError as error:
            self._desk.schedule()  # to give its messages back
            raise CorruptBatch(f"{subscriber.options.topic}: {error}") from error
        if hand is not None:
            return hand, None
        if self._desk.scheduled:
            self._desk.flush()  # there is nothing to gather more with
        return None, subscriber.changes.next()

    def run(
        self,
        handler: Callable[[Message], Any],
        *,
        concurrency: int = 10,
        reject_on: Exceptions = (),
        ignore: Exceptions = (),
    ) -> None:
        """Handle messages, so many at a time, until stop() is called, or this is cancelled or
        interrupted.

        Each is settled by how its handler ends: see ``Message.process``. Raises what iterating
        raises. ``prefetch`` should be larger than ``concurrency``.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency is at least 1, not {concurrency}")
        check_exceptions(reject_on=reject_on, ignore=ignore)
        check_function(handler, awaited=False)
        failures: list[BaseException] = []

        def work(end: Promise[None]) -> None:
            try:
                for message in self:
                    with message.process(reject_on=reject_on, ignore=ignore):
                        check_returned(handler(message))
            except BaseException as error:
                failures.append(error)
                self.stop()
            finally:
                with self._shared.lock:
                    end.resolve(None)

        ends: list[Promise[None]] = [Promise() for _ in range(concurrency)]
        try:
            for end in ends:
                threading.Thread(
                    target=work, args=(end,), name="tapemq-handler", daemon=True
                ).start()
            for end in ends:
                while not end.wait(_WAIT_S):
                    pass
        except BaseException:
            self.stop()
            raise
        if failures:
            raise failures[0]

    def stop(self) -> None:
        """Take nothing more: iterating ends, and run() returns when its handlers are done."""
        with self._shared.lock:
            if self._shared.turn.is_under_way:
                # What was interrupted in the middle by a signal goes on first: it has looked
                # whether to stop, and may be about to wait, or to take the message that it saw.
                self._shared.call_soon(self._stop)
                self._shared.wake()
                return
            with self._shared.turn:
                self._stop()

    def _stop(self) -> None:
        self._desk.stop()
        self._begin(None)
        self._subscriber.changes.happened()

    # Entering and leaving

    def __enter__(self) -> Self:
        self._subscriber.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_the_parents:
            return
        try:
            self.stop()
            self._desk.drain()
        finally:
            self.close()

    def close(self) -> None:
        """Leave at once: what is not settled comes again elsewhere."""
        try:
            self._subscriber.leave()
        finally:  # also if this is interrupted: what still listened would subscribe again
            self.fail(Closed("the queue is closed"))
            self._desk.stopping = False  # it may be entered again

    def fail(self, error: Error) -> None:
        """Let whoever iterates, now or later, get ``error``."""
        with self._shared.lock, self._shared.turn:
            self._subscriber.fail(error)

    def after_fork(self, error: Error) -> None:
        """This process is a child: what was leased is the parent's."""
        self._is_the_parents = True
        self._fresh = iter(())
        self._beginning = None
        self._subscriber.after_fork(error)
