"""Reading a topic as a queue, message by message or batch by batch."""

import asyncio
import builtins
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Final, Self

from tapemq.batch import BatchError
from tapemq.errors import Closed, CorruptBatch, Error, again
from tapemq.network.link import Link
from tapemq.queues.desk import Desk, release
from tapemq.queues.hand import Hand
from tapemq.queues.message import Message
from tapemq.queues.message_batch import MessageBatch
from tapemq.queues.options import QueueOptions
from tapemq.queues.outcome import Exceptions, Retry, check_exceptions, check_function, finish
from tapemq.queues.subscriber import QueueSubscriber
from tapemq.timeouts import check_timeout

_TURN_S: Final = 0.005
"""The event loop gets its turn this often, even if messages are always there."""


class Queue:
    """Takes messages as a worker of a queue group; made by ``Client.queue()``.

    ``async with client.queue(...) as queue``, then ``async for message in queue``. Each message is
    this consumer's until it is settled: best with ``async with message.process()``. Its lease is
    renewed for as long as the process lives. Several tasks may iterate at the same time.
    ``get(timeout=)`` takes one message, and waits for no longer.

    Leaving the block stops taking, waits for ``process()`` blocks to end (at most 10 s), gives
    back what is not settled, and waits until all settlements are on disk. After a loss of the
    connection the messages of the old one are lost (``message.lease_lost``) and come again, here
    or elsewhere.

    Entering the block raises OffsetOutOfRange for a start beyond the end, and RequestRefused if the
    group is a stream group, or for a setting out of its range. Iterating raises TopicNotFound when
    the topic is deleted, CorruptBatch for data damaged on the way, Closed outside of the
    ``async with`` block.
    """

    def __init__(
        self, link: Link, options: QueueOptions, on_lease: Callable[[float], None]
    ) -> None:
        subscriber = QueueSubscriber(link, options)
        name = f"{options.topic}, group {options.group}"
        self._subscriber = subscriber
        self._intake = subscriber.intake
        self._desk = subscriber.desk = Desk(
            link, subscriber.intake, name, options.timeout_s, on_lease
        )
        self._loop = asyncio.get_running_loop()
        self._turn_at = 0.0
        self._beginning = asyncio.Lock()

    @property
    def lost(self) -> int:
        """How many messages were settled too late, and come (or came) again; or twice."""
        return self._desk.lost

    # Taking messages

    def __aiter__(self) -> AsyncIterator[Message]:
        return self._messages()

    async def _messages(self) -> AsyncIterator[Message]:
        desk, now = self._desk, self._loop.time
        while (hand := await self._next_hand()) is not None:
            if hand.lease.redelivered:
                if (message := await self._next_redelivered(hand)) is not None:
                    yield message
                continue
            for message in hand.messages:
                if not desk.scheduled:
                    desk.schedule()  # to say that this one has started
                yield message
                if now() >= self._turn_at:
                    await self._give_turn()

    async def get(self, *, timeout: float | None = None) -> Message | None:
        """The next message; None if none has come within ``timeout`` seconds, or after stop().

        With 0 only what is here already is taken; with None, one is waited for. Raises what
        iterating raises.
        """
        until = None
        if timeout is not None:
            until = self._loop.time() + check_timeout("timeout", timeout)
        if self._loop.time() >= self._turn_at:
            await self._give_turn()
        while True:
            try:
                # What takes a message is not under this: it would be given back again.
                async with asyncio.timeout_at(until):
                    hand = await self._next_hand()
            except builtins.TimeoutError:
                return None
            if hand is None:
                return None
            message: Message | None
            if hand.lease.redelivered:
                message = await self._next_redelivered(hand)
            else:
                message = next(hand.messages)
                self._desk.schedule()  # to say that this one has started
            if message is not None:
                return message

    async def batches(self) -> AsyncIterator[MessageBatch]:
        """The same messages, up to 512 that were leased together at a time."""
        while (hand := await self._next_hand()) is not None:
            batch = MessageBatch(hand.lease, hand.take_batch())
            if hand.lease.redelivered:
                await self._announce_batch(batch)
            self._desk.schedule()
            yield batch
            if self._loop.time() >= self._turn_at:
                await self._give_turn()

    async def _next_redelivered(self, hand: Hand) -> Message | None:
        """Take a message, when it is on the wire that work on it begins: it may kill this process.

        One at a time: the handler of each takes its first step before the next one is taken, so
        the innocent that only stand in line are not counted with the one that kills. None if it
        is not this consumer's any more.
        """
        async with self._beginning:
            message: Message | None = next(hand.messages, None)
            if message is None:
                return None
            try:
                await self._give_turn()
            except BaseException:
                release(message._lease, message.offset)
                raise
        return message if message.offset in message._lease.held else None

    async def _announce_batch(self, batch: MessageBatch) -> None:
        try:
            await self._give_turn()
        except BaseException:
            await batch.release()
            raise

    async def _give_turn(self) -> None:
        """Let the event loop send what is to be said, and do whatever else there is."""
        self._desk.flush()
        await asyncio.sleep(0)
        self._turn_at = self._loop.time() + _TURN_S

    async def _next_hand(self) -> Hand | None:
        """What to hand out next; None if nothing more is to be."""
        subscriber = self._subscriber
        while True:
            if subscriber.failure is not None:
                raise again(subscriber.failure)
            if self._desk.stopping:
                return None
            try:
                hand = self._intake.next_hand()
            except BatchError as error:
                self._desk.schedule()  # to give its messages back
                raise CorruptBatch(f"{subscriber.options.topic}: {error}") from error
            if hand is not None:
                return hand
            await subscriber.change()
            self._turn_at = self._loop.time() + _TURN_S

    async def run(
        self,
        handler: Callable[[Message], Awaitable[Any] | None],
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
        check_function(handler, awaited=True)
        is_over, runner = False, _this_task()
        cancelled_before = runner.cancelling()

        def is_ending() -> bool:
            return is_over or runner.cancelling() > cancelled_before

        async def work() -> None:
            task = _this_task()
            async for message in self:
                async with message.process(reject_on=reject_on, ignore=ignore):
                    try:
                        await _handle(handler, message, task)
                    except asyncio.CancelledError as error:
                        if is_ending():
                            raise
                        # The handler has cancelled itself, or what it waited for was cancelled.
                        while task.uncancel():
                            pass
                        raise Retry("CancelledError") from error
                if is_ending():  # and the handler has kept the cancellation to itself
                    return

        workers = [asyncio.create_task(work()) for _ in range(concurrency)]
        try:
            await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            is_over = True
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
        for worker in (one for one in workers if not one.cancelled()):
            worker.result()

    def stop(self) -> None:
        """Take nothing more: iterating ends, and run() returns when its handlers are done."""
        self._desk.stop()
        self._subscriber.changed.set()

    # Entering and leaving

    async def __aenter__(self) -> Self:
        await self._subscriber.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.stop()
            await self._desk.drain()
        finally:
            await self.close()

    async def close(self) -> None:
        """Leave at once: what is not settled comes again elsewhere."""
        try:
            await self._subscriber.leave()
        finally:  # also if this is cancelled: what still listened would subscribe again
            self.fail(Closed("the queue is closed"))
            self._desk.stopping = False  # it may be entered again

    def fail(self, error: Error) -> None:
        """Let whoever iterates, now or later, get ``error``."""
        self._subscriber.fail(error)


def _this_task() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    assert task is not None
    return task


async def _handle(
    handler: Callable[[Message], Any], message: Message, task: "asyncio.Task[Any]"
) -> None:
    try:
        await finish(handler(message))
    finally:
        if task.cancelling():
            await asyncio.sleep(0)  # it is raised here, not from what comes next
