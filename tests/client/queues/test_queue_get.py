"""Taking one message of a queue, and waiting for it no longer than is wanted."""

import asyncio

import pytest

import tapemq
from tests.support.blocking import LONG_S
from tests.support.queueing import World, take
from tests.support.reading import fill

pytestmark = pytest.mark.both_loops

ALL = list(range(10))


async def rest(queue: tapemq.Queue) -> list[int]:
    """Take and ack all that is here."""
    offsets = []
    while (message := await queue.get(timeout=0)) is not None:
        offsets.append(message.offset)
        await message.ack()
    return offsets


async def test_one_message_after_the_other_and_none_when_no_more_are_here(world: World) -> None:
    async with world.queue() as queue:
        first = await queue.get()
        assert first is not None
        assert (first.offset, first.value) == (0, b"0")
        await first.ack()
        await world.client.topics()  # an answer behind all leases: they have arrived
        assert await rest(queue) == ALL[1:]
        assert await queue.get(timeout=0.001) is None
        await world.client.publish("t", b"10")
        async with asyncio.timeout(LONG_S):
            last = await queue.get(timeout=LONG_S)
        assert last is not None
        await last.ack()
    assert world.acked() == [*ALL, 10]


async def test_one_that_comes_again_is_here_as_any_other(world: World) -> None:
    """It is announced before it is handed out; that must not be taken for waiting."""
    async with world.queue() as queue:
        for message in await take(queue, 10):
            await message.nack(delay=0)
        await world.settled(10)
        await world.client.topics()
        again = await queue.get(timeout=0)
        assert again is not None
        assert (again.offset, again.attempt) == (0, 2)


async def test_stop_ends_waiting(world: World) -> None:
    async with world.queue() as queue:
        await take(queue, 10)
        getting = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        queue.stop()
        assert await getting is None


async def test_who_is_cancelled_takes_nothing_along(world: World) -> None:
    async with world.queue() as queue:
        await take(queue, 10)
        getting = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        getting.cancel()
        await world.client.publish("t", b"10")
        late = await queue.get()
        assert late is not None
        assert late.offset == 10
        assert getting.cancelled()


async def test_event_loop_gets_its_turn_while_messages_are_here(world: World) -> None:
    fill(world.topic, *[1000] * 8)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with world.queue(prefetch=50_000, prefetch_bytes=10**8) as queue:
        await world.client.topics()
        counting = asyncio.ensure_future(count_turns())
        assert len(await rest(queue)) == 8_010
        assert turns >= 2
        counting.cancel()


async def test_what_iterating_raises_is_raised(world: World) -> None:
    with pytest.raises(tapemq.Closed):
        await world.queue().get(timeout=0)
    async with world.queue() as queue:
        with pytest.raises(ValueError, match="timeout is a number of seconds"):
            await queue.get(timeout=float("nan"))
