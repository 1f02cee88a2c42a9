import asyncio

import pytest

import tapemq
from tapemq.wire import messages as m
from tests.support.fake_broker import Reaction
from tests.support.queueing import World, take

pytestmark = pytest.mark.both_loops


async def test_verbs(world: World) -> None:
    async with world.queue() as queue:
        one, two, three, four, five = await take(queue, 5)
        await one.ack()
        await two.nack(delay=1.5, reason="busy", error="E" * 2000)
        await three.reject(reason="bad", error="no id")
        await four.release()
        await five.nack()
        await world.settled(5)
        said = [settle for settle, _ in world.broker.queues.settlements]
        assert said == [
            m.Settle(1, "nack", by_policy=False, delay_ms=1500, reason="busy", error="E" * 1024),
            m.Settle(1, "reject", reason="bad", error="no id"),
            m.Settle(1, "release"),
            m.Settle(1, "nack"),
            m.Settle(1, "ack"),
        ]


@pytest.mark.parametrize("verb", ["ack", "nack", "reject", "release"])
async def test_confirmed_is_on_disk(world: World, verb: str) -> None:
    world.broker.react(m.Settle, Reaction.HOLD)
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        settling = asyncio.ensure_future(getattr(message, verb)(confirm=True))
        await world.broker.received(m.Settle)
        await world.client.topics()
        assert not settling.done()
        world.broker.release()
        await settling
        assert world.group.offsets(verb) == [0]


async def test_confirmed_ones_of_a_turn_go_together(world: World) -> None:
    async with world.queue() as queue:
        messages = await take(queue, 5)
        await asyncio.gather(*(message.ack(confirm=True) for message in messages))
        assert len(world.broker.of(m.Settle)) == 1


async def test_too_late_is_raised_only_if_it_is_confirmed(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with world.queue() as queue:
        one, two = await take(queue, 2)
        world.broker.queues.leases.clear()  # and the push of it is still under way
        with pytest.raises(tapemq.LeaseLost, match="offset 0"):
            await one.ack(confirm=True)
        assert queue.lost == 1
        await two.ack()
        await world.broker.received(m.Settle, 2)
        await world.client.topics()
        assert queue.lost == 2
        assert "settled too late" in caplog.text


async def test_known_loss_is_told_without_asking(world: World) -> None:
    async with world.queue() as queue:
        one, two = await take(queue, 2)
        world.broker.queues.lose("sought")
        await world.client.topics()
        assert (one.lease_lost, one.settled) == (True, False)
        await one.ack()
        assert queue.lost == 1
        with pytest.raises(tapemq.LeaseLost):
            await two.ack(confirm=True)
        with pytest.raises(tapemq.LeaseLost):
            await two.extend(5)
        assert not world.broker.of(m.Settle)


async def test_settled_twice_is_too_late(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        await message.ack()
        await message.nack()
        assert queue.lost == 1
        assert "or they had been settled before" in caplog.text  # it does not come again
        with pytest.raises(tapemq.LeaseLost):
            await message.ack(confirm=True)
        await world.settled(1)
        assert world.group.history == [("ack", 0, 0)]


async def test_lost_answer_leaves_it_open(world: World) -> None:
    world.broker.react(m.Settle, Reaction.LOSE)
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        with pytest.raises(tapemq.IndeterminateError):
            await message.ack(confirm=True)
        assert world.acked() == [0]


async def test_no_answer_in_time_leaves_it_open(world: World) -> None:
    world.broker.react(m.Settle, Reaction.IGNORE)
    async with world.queue() as queue:
        queue._desk._timeout_s = 0.01
        (message,) = await take(queue, 1)
        with pytest.raises(tapemq.IndeterminateError, match=r"0\.01 s"):
            await message.ack(confirm=True)
        await world.broker.cut()


async def test_cancelled_wait_takes_nothing_back(world: World) -> None:
    world.broker.react(m.Settle, Reaction.HOLD)
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        settling = asyncio.ensure_future(message.ack(confirm=True))
        await world.broker.received(m.Settle)
        settling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await settling
        world.broker.release()
    assert world.acked() == [0]


async def test_extend(world: World) -> None:
    async with world.queue() as queue:
        one, two = await take(queue, 2)
        await one.extend(60)
        assert world.broker.of(m.Extend)[0].lease_ms == 60_000
        assert world.broker.queues.extended[0].first_offset == 0
        world.broker.queues.leases.clear()
        with pytest.raises(tapemq.LeaseLost, match="offset 1"):
            await two.extend(60)
        assert two.lease_lost
