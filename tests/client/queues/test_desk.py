import asyncio

import pytest

import tapemq
from tapemq.queues import desk as desk_module
from tapemq.queues import ledger as ledger_module
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.blocking import LONG_S
from tests.support.fake_broker import Reaction
from tests.support.queueing import World, take

pytestmark = pytest.mark.both_loops


async def test_what_is_settled_in_a_turn_goes_in_one_frame(world: World) -> None:
    async with world.queue() as queue:
        for message in await take(queue, 10):
            await message.ack()
        await world.settled(10)
        assert len(world.broker.of(m.Settle)) == 1


async def test_what_is_settled_in_many_turns_is_gathered_for_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "GATHER_S", 1000.0)
    async with world.queue() as queue:
        messages = await take(queue, 10)
        for message in messages[:9]:
            await message.ack()
            await world.client.topics()
        assert len(world.broker.of(m.Settle)) <= 1
        await messages[9].ack(confirm=True)  # somebody waits: all goes
        assert world.acked() == list(range(10))


async def test_leases_are_renewed_while_they_are_held(world: World) -> None:
    world.broker.queues.lease_ms = 30
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        await world.broker.received(m.Extend, 3)
        assert {extend.lease_ms for extend in world.broker.of(m.Extend)} == {0}, "their own time"
        leases = {entry.lease_id for entry in world.broker.queues.extended}
        assert leases == set(world.broker.queues.leases)  # buffered ones, too
        await message.ack(confirm=True)


async def test_shorter_leases_are_renewed_sooner(world: World) -> None:
    async with world.queue(prefetch=1) as queue:
        (first,) = await take(queue, 1)
        world.broker.queues.lease_ms = 30
        await first.ack()
        (second,) = await take(queue, 1)
        lease_id = second._lease.lease_id
        while lease_id not in {entry.lease_id for entry in world.broker.queues.extended}:
            await world.broker.received(m.Extend, len(world.broker.of(m.Extend)) + 1)


async def test_extension_that_is_not_answered_is_told(world: World) -> None:
    world.broker.react(m.Extend, Reaction.IGNORE)
    async with world.queue(prefetch=1) as queue:
        (message,) = await take(queue, 1)
        queue._desk._timeout_s = 0.01
        async with asyncio.timeout(LONG_S):
            with pytest.raises(tapemq.IndeterminateError, match="may be extended"):
                await message.extend(60)
        queue._desk._timeout_s = LONG_S
        await message.extend(60)


async def test_nothing_is_renewed_when_nothing_is_held(world: World) -> None:
    world.broker.queues.lease_ms = 30
    async with world.queue() as queue:
        for message in await take(queue, 10):
            await message.ack(confirm=True)
        desk = queue._desk
        while desk._renewal is not None:
            desk._renewal.cancel()
            desk._renew()
        assert not [e for e in world.broker.queues.extended if e.lease_id in _held(world)]
        await world.client.publish("t", b"10")
        await take(queue, 1)
        await world.broker.received(m.Extend, len(world.broker.of(m.Extend)) + 1)


def _held(world: World) -> set[int]:
    leases = world.broker.queues.leases
    return {lease_id for lease_id, lease in leases.items() if lease.offsets}


async def test_lease_that_cannot_be_renewed_is_lost(world: World) -> None:
    world.broker.queues.lease_ms = 30
    async with world.queue(prefetch=1) as queue:
        (message,) = await take(queue, 1)
        world.broker.queues.leases.clear()
        while not message.lease_lost:
            await queue._subscriber._link.call(m.ListTopics(), 30.0)


async def test_refused_renewal_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.broker.queues.lease_ms = 30
    world.broker.react(m.Extend, m.Failure(wire.OVERLOADED.code, "busy"))
    async with world.queue() as queue:
        await take(queue, 1)
        await world.broker.received(m.Extend, 2)
        assert "not extended: busy" in caplog.text


async def test_refused_settlement_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    refused = m.Failure(wire.STORAGE_FAILED.code, "damaged")
    world.broker.react(m.Settle, refused, refused)
    async with world.queue() as queue:
        one, two = await take(queue, 2)
        await one.ack()
        await world.broker.received(m.Settle)
        with pytest.raises(tapemq.StorageFailed):
            await two.ack(confirm=True)
    assert "not confirmed: damaged" in caplog.text


async def test_an_overloaded_broker_is_told_again_of_what_was_settled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the leases: they would run out, and count as crashes."""
    monkeypatch.setattr(ledger_module, "_AGAIN_S", 0.0)
    busy = m.Failure(wire.OVERLOADED.code, "too many requests wait for the broker's disk")
    world.broker.react(m.Settle, busy, busy, busy)
    async with world.queue() as queue:
        one, two, three = await take(queue, 3)
        await one.ack(confirm=True)
        assert len(world.broker.of(m.Settle)) == 4
        world.broker.react(m.Settle, busy)
        await two.ack()
        await world.broker.received(m.Settle, 5)
        await three.nack()
    assert (world.acked(), world.group.offsets("nack")) == ([0, 1], [2])
    assert queue.lost == 0


async def test_leaving_gives_up_on_handlers_that_do_not_end(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(desk_module, "DRAIN_S", 0.01)
    never = asyncio.Event()

    async def handle(message: tapemq.Message) -> None:
        async with message.process():
            await never.wait()

    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        handling = asyncio.ensure_future(handle(message))
        await asyncio.sleep(0)
    assert "left with handlers at work" in caplog.text
    assert message.lease_lost
    never.set()
    await handling
    assert queue.lost == 1


async def test_leaving_gives_up_on_a_broker_that_does_not_answer(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(desk_module, "DRAIN_S", 0.01)
    world.broker.react(m.Settle, Reaction.HOLD)
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        await message.ack()
    assert "unconfirmed" in caplog.text
    world.broker.release()


async def test_cancelled_leaving_says_what_was_settled(world: World) -> None:
    async def run() -> None:
        async with world.queue() as queue:
            (message,) = await take(queue, 1)
            await message.ack()
            asyncio.current_task().cancel()  # type: ignore[union-attr]

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(run())
    await world.settled(1)
    assert world.acked() == [0]


async def test_no_credit_is_granted_while_stopping(world: World) -> None:
    async with world.queue(prefetch=4) as queue:
        messages = await take(queue, 4)
        queue.stop()
        for message in messages:
            await message.ack(confirm=True)
        assert not world.broker.of(m.Credit)
    assert world.group.history == [("ack", 0, offset) for offset in range(4)]


async def test_every_await_can_be_cancelled(world: World) -> None:
    """Wherever the cancellation comes: nothing is acked that was not handled, nothing is stuck."""
    handled: list[int] = []

    async def run() -> None:
        async with world.queue(prefetch=3) as queue:
            async for message in queue:
                async with message.process():
                    await asyncio.sleep(0)
                    handled.append(message.offset)
                if len(handled) % 3 == 0:
                    await message.nack()

    async with world.queue():
        pass  # the group exists
    for turns in range(80):
        running = asyncio.ensure_future(run())
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        await world.client.topics()
        assert set(world.acked()) <= set(handled)
        assert not world.broker.queues.leases
