"""How a queue is left, and what becomes of the messages that it holds."""

import asyncio
from contextlib import suppress

import pytest

import tapemq
from tapemq.queues.queue import Queue
from tapemq.wire import messages as m
from tests.support.blocking import LONG_S
from tests.support.fake_broker import Reaction
from tests.support.queueing import World, take

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


async def test_what_was_not_handed_out_is_given_back(world: World) -> None:
    async with world.queue() as queue:
        assert await work(queue, 4) == [0, 1, 2, 3]
    assert world.acked() == [0, 1, 2, 3]
    assert sorted(world.group.offsets("left")) == ALL[4:]


async def test_what_was_handed_out_and_not_settled_is_given_back(world: World) -> None:
    async with world.queue() as queue:
        await take(queue, 2)
    assert sorted(world.group.offsets("left")) == ALL


async def test_leaving_waits_for_process_blocks_of_other_tasks(world: World) -> None:
    working, gate = asyncio.Event(), asyncio.Event()

    async def handle(message: tapemq.Message) -> None:
        async with message.process():
            working.set()
            await gate.wait()

    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        handling = asyncio.ensure_future(handle(message))
        await working.wait()
        asyncio.get_running_loop().call_soon(gate.set)
    assert handling.done()
    assert world.acked() == [0]


async def test_leaving_waits_until_all_is_on_disk(world: World) -> None:
    world.broker.react(m.Settle, *[Reaction.HOLD] * 100)

    async def run() -> None:
        async with world.queue() as queue:
            await work(queue, 10)

    running = asyncio.ensure_future(run())
    await world.broker.received(m.Settle)
    await world.client.topics()
    assert not running.done()
    world.broker.release()
    await running
    assert world.acked() == ALL


async def test_iterating_in_another_task_ends_when_the_block_is_left(world: World) -> None:
    async with world.queue() as queue:
        await work(queue, 10)
        waiting = asyncio.ensure_future(work(queue, 1))
        await asyncio.sleep(0)
    assert await waiting == []


async def test_exception_gives_the_message_in_hand_back(world: World) -> None:
    async def run() -> None:
        async with world.queue() as queue:
            async for message in queue:
                if message.offset == 2:
                    raise ZeroDivisionError
                await message.ack()

    with pytest.raises(ZeroDivisionError):
        await run()
    assert world.acked() == [0, 1]
    assert sorted(world.group.offsets("left")) == ALL[2:]


async def test_leaving_that_is_cancelled_leaves_no_consumer_behind(world: World) -> None:
    queue = await world.queue().__aenter__()
    world.broker.react(m.Unsubscribe, Reaction.HOLD)
    leaving = asyncio.ensure_future(queue.close())
    await world.broker.received(m.Unsubscribe)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await world.broker.cut()
    async with world.queue() as other:
        await world.client.topics()  # an answer behind all that was asked for on this connection
        assert len(world.broker.of(m.Consume)) == 2
        assert await work(other, 10) == ALL


@pytest.mark.parametrize("then", ["waits", "returns", "raises"])
async def test_a_handler_that_cancels_itself_has_failed(world: World, then: str) -> None:
    async def handle(message: tapemq.Message) -> None:
        if message.attempt == 1:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            task.cancel()
            if then == "waits":
                await asyncio.Event().wait()
            if then == "raises":
                raise KeyError

    async with world.queue() as queue:
        running = asyncio.ensure_future(queue.run(handle, concurrency=2))
        settling = asyncio.ensure_future(world.settled(20))
        await asyncio.wait([running, settling], return_when=asyncio.FIRST_COMPLETED)
        assert not running.done()
        await settling
        queue.stop()
        await running
    assert sorted(world.group.offsets("nack")) == ALL
    assert sorted(world.acked()) == ALL


async def test_cancelled_run_ends_though_its_handlers_keep_that_to_themselves(
    world: World,
) -> None:
    """As one does that catches everything, or waits with Python 3.11's asyncio.wait_for()."""
    begun = asyncio.Event()

    async def handle(message: tapemq.Message) -> None:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async with world.queue() as queue:
        running = asyncio.ensure_future(queue.run(handle, concurrency=2))
        await begun.wait()
        running.cancel()
        await asyncio.wait([running], timeout=LONG_S)
        assert running.cancelled()
    assert world.acked() == [0, 1]
    assert sorted(world.group.offsets("left")) == ALL[2:]


async def test_what_a_handler_has_not_awaited_is_not_acked(world: World) -> None:
    async def handle(message: tapemq.Message) -> object:
        return asyncio.sleep(0)  # as who forgets to await it

    async with world.queue() as queue:
        running = asyncio.ensure_future(queue.run(handle, concurrency=1))
        await world.settled(10)
        queue.stop()
        await running
    assert world.acked() == []
    assert set(world.group.offsets("nack")) >= {0}


async def test_end_of_the_event_loop_gives_messages_back(world: World) -> None:
    """It cancels all tasks at once, in any order."""
    begun = asyncio.Event()

    async def handle(message: tapemq.Message) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with world.queue() as queue:
        before = asyncio.all_tasks()
        running = asyncio.ensure_future(queue.run(handle, concurrency=2))
        await begun.wait()
        for task in sorted(asyncio.all_tasks() - before, key=lambda one: one is running):
            task.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
    assert world.group.offsets("nack") == []
    assert sorted(world.group.offsets("release")) == [0, 1]
    assert sorted(world.group.offsets("left")) == ALL


async def test_queue_is_closed_before_and_after_its_block(world: World) -> None:
    queue = world.queue()
    with pytest.raises(tapemq.Closed, match="async with"):
        await work(queue, 1)
    async with queue:
        pass
    with pytest.raises(tapemq.Closed):
        await work(queue, 1)


async def test_queue_can_be_entered_again(world: World) -> None:
    queue = world.queue()
    async with queue:
        assert await work(queue, 4) == ALL[:4]
    async with queue:
        assert await work(queue, 6) == ALL[4:]
    assert world.acked() == ALL


async def test_closing_the_client_ends_the_queue(world: World) -> None:
    async with world.queue() as queue:
        await work(queue, 10)
        waiting = asyncio.ensure_future(work(queue, 1))
        await asyncio.sleep(0)
        await world.client.close()
        with pytest.raises(tapemq.Closed):
            await waiting


async def test_damaged_data_is_given_back(world: World) -> None:
    """Others may be able to read it, whether or not this consumer goes on."""
    stored = world.topic.partitions[0].batches[1]
    sound, stored.data = stored.data, stored.data[:-1] + b"!"
    async with world.queue() as queue:
        with pytest.raises(tapemq.CorruptBatch, match="t: "):
            await work(queue, 10)
        stored.data = sound
        async with asyncio.timeout(LONG_S):
            await world.settled(6)
        assert world.acked() == [0, 1, 2]
        assert world.group.offsets("release") == ALL[3:6]
        assert sorted(await work(queue, 7)) == ALL[3:]
