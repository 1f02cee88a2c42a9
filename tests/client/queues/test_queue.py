import asyncio
import signal

import pytest

import tapemq
from tapemq.queues.queue import Queue
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tapemq.wire.entries import Tokens, pack_tokens, unpack_tokens
from tests.support.queueing import World, take
from tests.support.reading import fill

pytestmark = pytest.mark.both_loops

ALL = list(range(10))


async def work(queue: Queue, count: int) -> list[int]:
    """Handle so many messages."""
    offsets = []
    async for message in queue:
        async with message.process():
            assert message.value == b"%d" % message.offset
            offsets.append(message.offset)
        if len(offsets) == count:
            break
    return offsets


def spy_on_pushes(world: World, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, bytes]]:
    """Messages and payloads as they are given to the connection."""
    connection = world.client._link.connection
    assert connection is not None
    pushed: list[tuple[object, bytes]] = []
    push = connection.push

    def spy(message: object, payload: bytes = b"") -> None:
        pushed.append((message, payload))
        push(message, payload)

    monkeypatch.setattr(connection, "push", spy)
    return pushed


# Taking messages


async def test_each_message_is_handled_and_acked(world: World) -> None:
    async with world.queue() as queue:
        assert await work(queue, 10) == ALL
    assert world.acked() == ALL
    assert queue.lost == 0
    assert world.broker.of(m.Unsubscribe) == [m.Unsubscribe(1)]


async def test_topic_and_group_are_created_with_their_settings(world: World) -> None:
    async with world.client.queue("new", group="g2", max_attempts=5, consumer="me"):
        (consume,) = world.broker.of(m.Consume)
    assert consume.topic_id == world.broker.topics["new"].topic_id
    assert (consume.group, consume.consumer, consume.settings) == ("g2", "me", {"max_attempts": 5})
    assert (consume.start, consume.credit_records) == ("earliest", 100)


async def test_messages_that_come_later_are_waited_for(world: World) -> None:
    async with world.queue() as queue:
        await work(queue, 10)
        working = asyncio.ensure_future(work(queue, 1))
        await asyncio.sleep(0)
        await world.client.publish("t", b"10")
        assert await working == [10]


async def test_no_more_is_held_than_the_prefetch(world: World) -> None:
    async with world.queue(prefetch=4) as queue:
        messages = await take(queue, 4)
        consumer = world.broker.queues.consumers[0]
        assert consumer.records == 0
        for message in messages:
            await message.ack()
        assert await work(queue, 6) == [4, 5, 6, 7, 8, 9]


async def test_batches(world: World) -> None:
    async with world.queue() as queue:
        sizes = []
        async for batch in queue.batches():
            sizes.append((batch.first_offset, len(batch)))
            await batch.ack()
            if batch.next_offset == 10:
                break
    assert sizes == [(0, 3), (3, 3), (6, 4)]
    assert world.acked() == ALL


async def test_messages_and_batches_can_be_mixed(world: World) -> None:
    async with world.queue() as queue:
        (first,) = await take(queue, 1)
        async for batch in queue.batches():
            assert (batch.first_offset, batch.values) == (1, (b"1", b"2"))
            await batch.ack(confirm=True)
            break
        await first.ack(confirm=True)
        assert await work(queue, 2) == [3, 4]
        assert world.acked()[:3] == [1, 2, 0]


async def test_redelivered_batch_is_said_to_have_started_before_it_is_handed_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = spy_on_pushes(world, monkeypatch)
    async with world.queue() as queue:
        for message in await take(queue, 3):
            await message.nack(delay=0)
        async for batch in queue.batches():
            if batch.attempt == 2:
                # Perhaps together with what was handed out before.
                started = [payload for message, payload in pushed if message == m.Started(1)]
                said = [entry for payload in started for entry in unpack_tokens(payload)]
                assert (batch._lease.lease_id, 0, 3) in said
                break


async def test_several_tasks_share_the_messages(world: World) -> None:
    async with world.queue() as queue:
        shares = await asyncio.gather(work(queue, 5), work(queue, 5))
    assert sorted(shares[0] + shares[1]) == ALL
    assert sorted(world.acked()) == ALL


async def test_event_loop_gets_its_turn_while_messages_are_there(world: World) -> None:
    fill(world.topic, *[1000] * 8)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with world.queue(prefetch=50_000, prefetch_bytes=10**8) as queue:
        await world.client.topics()  # an answer behind all leases: they have arrived
        counting = asyncio.ensure_future(count_turns())
        seen = 0
        async for message in queue:
            seen += len(repr(message)) > 0  # takes its time: about 0.05 s in all
            await message.ack()
            if seen == 8_010:
                break
        assert turns >= 2
        assert len(world.broker.of(m.Settle)) >= 2  # nobody waited for the end
        counting.cancel()


# What is said of the start


async def test_started_is_said_of_what_is_in_hand(world: World) -> None:
    async with world.queue() as queue:
        async for message in queue:
            if message.offset == 2:
                await world.broker.received(m.Started)
                started = world.broker.queues.started
                assert {entry.first_offset for entry in started} == {2}
                break
            await message.ack()


async def test_redelivery_is_handed_out_when_its_start_is_on_the_wire(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = world.client._link.connection
    assert connection is not None
    pushed = spy_on_pushes(world, monkeypatch)
    async with world.queue() as queue:
        first, second = await take(queue, 2)
        await first.ack()
        await second.nack(delay=0)
        async for message in queue:
            if message.offset == 1:
                token = pack_tokens([(message._lease.lease_id, 1, 1)])
                assert (m.Started(1), token) in pushed
                assert connection._transport is not None
                assert connection._transport.get_write_buffer_size() == 0
                assert (message.attempt, message.failures, message.deliveries) == (2, 1, 1)
                break
            await message.ack()


async def test_handler_that_kills_its_process_is_the_only_redelivery_that_has_begun(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.queue() as queue:
        for message in await take(queue, 10):
            await message.nack(delay=0)
        await world.settled(10)
        await world.client.topics()
        pushed = spy_on_pushes(world, monkeypatch)
        begun: list[tuple[int, int]] = []

        async def handle(message: tapemq.Message) -> None:
            said = [unpack_tokens(token) for push, token in pushed if isinstance(push, m.Started)]
            begun.append((message.offset, sum(entry.records for some in said for entry in some)))
            await asyncio.sleep(0)
            if len(begun) == 10:
                queue.stop()

        await queue.run(handle, concurrency=5)
    # When the n-th handler takes its first step, work on n messages was said to have begun.
    assert begun == [(offset, offset + 1) for offset in range(10)]


async def test_cancellation_while_the_start_is_said_gives_the_message_back(world: World) -> None:
    async with world.queue() as queue:
        for message in await take(queue, 10):
            await message.nack(delay=0)
        await world.settled(10)
        await world.client.topics()
        working = asyncio.ensure_future(work(queue, 1))
        await asyncio.sleep(0)  # it has taken one and is saying so
        assert queue._intake._hand is not None
        assert queue._intake._hand.next_offset == 1
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert queue._intake._hand.lease.held == {1, 2}
    assert world.acked() == []
    assert sorted(world.group.offsets("left")) == ALL


async def test_message_that_is_lost_while_its_start_is_said_is_not_handed_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.queue() as queue:
        for message in await take(queue, 10):
            await message.nack(delay=0)
        await world.settled(10)
        await world.client.topics()
        flush = queue._desk.flush

        def lose_one() -> None:
            flush()
            hand = queue._intake._hand
            if hand is not None and hand.next_offset == 1:
                queue._desk.lose([Tokens(hand.lease.lease_id, 0, 1)], "expired")

        monkeypatch.setattr(queue._desk, "flush", lose_one)
        assert await work(queue, 1) == [3]


# run()


async def test_run_handles_so_many_at_a_time_until_it_is_stopped(world: World) -> None:
    at_once, most, done = 0, 0, 0
    gate = asyncio.Event()

    async def handle(message: tapemq.Message) -> None:
        nonlocal at_once, most, done
        at_once += 1
        most = max(most, at_once)
        if at_once == 3:
            gate.set()
        await gate.wait()
        at_once -= 1
        done += 1
        if done == 10:
            queue.stop()

    async with world.queue() as queue:
        await queue.run(handle, concurrency=3)
        assert (most, done) == (3, 10)
    assert sorted(world.acked()) == ALL


async def test_stop_lets_handlers_finish_and_gives_the_rest_back(world: World) -> None:
    working, gate = asyncio.Event(), asyncio.Event()

    async def handle(message: tapemq.Message) -> None:
        working.set()
        await gate.wait()

    async with world.queue() as queue:
        running = asyncio.ensure_future(queue.run(handle, concurrency=2))
        await working.wait()
        await asyncio.sleep(0)
        queue.stop()
        await world.settled(8)
        assert sorted(world.group.offsets("release")) == ALL[2:]
        gate.set()
        await running
    assert sorted(world.acked()) == [0, 1]


async def test_failing_handlers_do_not_end_run(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(message: tapemq.Message) -> None:
        if message.attempt == 1 and message.offset in (3, 4, 5):
            raise {3: KeyError, 4: ValueError, 5: OSError}[message.offset]

    async with world.queue() as queue:
        running = asyncio.ensure_future(
            queue.run(handle, concurrency=2, reject_on=ValueError, ignore=OSError)
        )
        await world.settled(11)
        queue.stop()
        await running
    assert world.group.offsets("nack") == [3]
    assert world.group.offsets("reject") == [4]
    assert sorted(world.acked()) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert "offset=3 " in caplog.text
    assert "offset=4 " in caplog.text
    assert "offset=5 " not in caplog.text


async def test_a_handler_whose_work_was_cancelled_has_failed(world: World) -> None:
    """Not the handler was cancelled: the worker it ran in would be gone, and nobody would know."""

    async def handle(message: tapemq.Message) -> None:
        if message.attempt == 1:
            work = asyncio.ensure_future(asyncio.Event().wait())
            work.cancel()
            await work

    async with world.queue() as queue:
        running = asyncio.ensure_future(queue.run(handle, concurrency=2))
        await world.settled(20)
        queue.stop()
        await running
    assert sorted(world.group.offsets("nack")) == ALL
    assert sorted(world.acked()) == ALL


async def test_run_raises_what_iterating_raises(world: World) -> None:
    async def handle(message: tapemq.Message) -> None:
        world.broker.session.send(m.Detached(1, 0, 0, wire.UNKNOWN_TOPIC.code, "deleted"))

    async with world.queue() as queue:
        with pytest.raises(tapemq.TopicNotFound, match="deleted"):
            await queue.run(handle)


async def test_cancelled_run_gives_messages_back(world: World) -> None:
    working = asyncio.Event()

    async def handle(message: tapemq.Message) -> None:
        working.set()
        await asyncio.Event().wait()

    async with world.queue() as queue:
        running = asyncio.ensure_future(queue.run(handle, concurrency=2))
        await working.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert world.acked() == []
    assert sorted(world.group.offsets("left")) == ALL
    assert sorted(world.group.offsets("release")) == [0, 1]


async def test_exit_of_the_process_ends_run(world: World) -> None:
    async def handle(message: tapemq.Message) -> None:
        raise _Leave

    async with world.queue() as queue:
        with pytest.raises(_Leave):
            await queue.run(handle, concurrency=1)
    assert 0 in world.group.offsets("release")


class _Leave(BaseException):
    """Like SystemExit, which event loops treat specially."""


async def test_a_handler_that_is_no_coroutine_is_done_when_it_returns(world: World) -> None:
    """It counted as failed when it had been done, and was done again until the message was dead."""
    handled = []

    def handle(message: tapemq.Message) -> None:
        handled.append(message.offset)
        if len(handled) == 10:
            queue.stop()

    async with world.queue() as queue:
        await queue.run(handle, concurrency=1)
    assert world.acked() == handled == ALL


async def test_concurrency_is_at_least_one(world: World) -> None:
    async with world.queue() as queue:
        with pytest.raises(ValueError, match="concurrency"):
            await queue.run(signal.getsignal, concurrency=0)  # type: ignore[arg-type]
