import asyncio

import pytest

import tapemq
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tapemq.wire.entries import pack_tokens
from tests.support.fake_broker import Reaction
from tests.support.queueing import World, take

pytestmark = pytest.mark.both_loops


async def test_after_a_loss_it_consumes_again_with_all_its_credit(world: World) -> None:
    async with world.queue(prefetch=5, max_attempts=3) as queue:
        old = await take(queue, 2)
        await world.broker.cut()
        await world.broker.received(m.Consume, 2)
        first, second = world.broker.of(m.Consume)
        assert first == second
        assert [message.lease_lost for message in old] == [True, True]
        new = await take(queue, 5)
        assert [message.offset for message in new] == [0, 1, 2, 3, 4]
        for message in new:
            await message.ack(confirm=True)
        assert queue.lost == 0


async def test_buffered_messages_of_the_old_connection_are_not_handed_out(world: World) -> None:
    async with world.queue() as queue:
        messages = aiter(queue)
        first = await anext(messages)
        world.broker.react(m.Consume, Reaction.HOLD)
        await world.broker.cut()
        await world.broker.received(m.Consume, 2)
        waiting = asyncio.ensure_future(anext(messages))
        await asyncio.sleep(0)
        assert not waiting.done()
        world.broker.release()
        again = await waiting
        assert (first.offset, again.offset) == (0, 0)
        assert first._lease is not again._lease


async def test_settlements_of_the_old_connection_are_too_late(world: World) -> None:
    async with world.queue() as queue:
        one, two, three = await take(queue, 3)
        queue._desk.flush()
        queue._desk.scheduled = True  # so that nothing more is said in time
        await one.ack()
        await world.broker.cut()
        await world.broker.received(m.Consume, 2)
        assert queue.lost == 1
        await two.ack()
        assert queue.lost == 2
        with pytest.raises(tapemq.LeaseLost):
            await three.ack(confirm=True)
        await world.client.topics()
        assert not world.broker.of(m.Settle)


async def test_who_waits_for_what_was_not_said_learns_that_it_was_lost(world: World) -> None:
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        settling = asyncio.ensure_future(message.ack(confirm=True))
        queue._desk._connection = lambda: None  # type: ignore[method-assign]
        await asyncio.sleep(0)
        await world.broker.cut()
        with pytest.raises(tapemq.LeaseLost):
            await settling


async def test_lost_leases_are_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        world.broker.queues.lose("sought")
        await world.client.topics()
        assert message.lease_lost
        assert "sought" in caplog.text
        (again,) = await take(queue, 1)
        assert (again.offset, again.deliveries) == (0, 1)


async def test_bad_tokens_break_the_protocol(world: World) -> None:
    async with world.queue():
        world.broker.session.send(m.LeaseLost(1, "expired"), payload=b"x")
        await world.broker.received(m.Consume, 2)  # on another connection


async def test_deleted_topic_ends_the_queue(world: World) -> None:
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        world.broker.session.send(m.Detached(1, 0, 0, wire.UNKNOWN_TOPIC.code, "deleted"))
        await world.client.topics()
        assert message.lease_lost
        with pytest.raises(tapemq.TopicNotFound, match="deleted"):
            await take(queue, 1)


async def test_what_was_settled_before_the_end_is_said(world: World) -> None:
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        await message.ack()
        queue.fail(tapemq.Closed("enough"))
        await world.settled(1)
        assert world.acked() == [0]


async def test_group_of_another_kind_is_refused(world: World) -> None:
    world.broker.react(m.Consume, m.Failure(wire.BAD_REQUEST.code, "group 'g' is a stream group"))
    with pytest.raises(tapemq.RequestRefused, match="stream group"):
        async with world.queue():
            pass


async def test_tokens_of_other_leases_change_nothing(world: World) -> None:
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        payload = pack_tokens([(message._lease.lease_id + 99, 0, 10)])
        world.broker.session.send(m.LeaseLost(1, "expired"), payload=payload)
        await world.client.topics()
        assert not message.lease_lost
