import asyncio

import pytest

import tapemq
from tapemq.wire import messages as m
from tests.support.blocking import LONG_S
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.scheduled_broker import ScheduledBroker, scheduled_broker
from tests.support.sdk import SENT_BY_THEN_S, client_of
from tests.support.stuck_disk import StuckDisk


async def test_a_lost_answer_is_asked_for_again() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with scheduled_broker(disk) as broker:
        await broker.later(b"a", 60)
        disk.stuck = True
        scheduling = asyncio.create_task(broker.later(b"b", 60))
        await arrived(broker, 2)
        for connection in list(broker.server._sessions.by_number.values()):
            connection.abort("the network is gone")
        disk.release()
        receipt = await scheduling
        assert (receipt.schedule_id, receipt.duplicate) == (2, True)
        assert await broker.pending() == 2


async def arrived(broker: ScheduledBroker, count: int) -> None:
    (volume,) = broker.schedules.shelf.volumes.values()
    while volume.book.count < count:
        await broker.client.status()


async def test_what_was_sent_before_the_client_was_closed_may_be_scheduled() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with scheduled_broker(disk) as broker:
        await broker.later(b"a", 60)
        disk.stuck = True
        sent = asyncio.ensure_future(broker.later(b"b", 60))
        await arrived(broker, 2)
        await broker.client.close()
        with pytest.raises(tapemq.IndeterminateError, match="may be scheduled"):
            await sent
        disk.release()


async def test_who_waits_for_room_in_vain_is_forgotten() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.flow(0, "the disk is low")
        with pytest.raises(tapemq.TimeoutError, match="disk is low"):
            await client.publish("t", b"x", delay=60, timeout=SENT_BY_THEN_S)
        await client.topics()
        assert client._link.connection is not None
        assert not client._link.connection._wanting_room


async def test_room_for_what_turns_out_to_be_too_large_is_for_others() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.flow(0, "the disk is low")
        scheduling = asyncio.create_task(client.publish("t", bytes(600), delay=60, timeout=LONG_S))
        await broker.received(m.OpenProducer)
        broker.welcome = broker.welcome._replace(
            batch_bytes_max=500, record_bytes_max=500, publish_window_bytes=0
        )
        await broker.cut()
        await broker.received(m.Hello, 2)
        publishing = asyncio.create_task(client.publish("u", b"x", timeout=LONG_S))
        await client.topics()  # by then both wait for room
        broker.flow(650)
        with pytest.raises(tapemq.PayloadTooLarge):
            await scheduling
        await publishing


async def test_room_that_a_withdrawn_record_wanted_is_for_others() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.react(m.Publish, Reaction.HOLD)
        broker.react(m.Schedule, Reaction.IGNORE)
        broker.flow(1000)
        large = asyncio.create_task(client.publish("u", bytes(600), timeout=LONG_S))
        await broker.received(m.Publish)
        given_up, other = (
            asyncio.create_task(client.publish("t", bytes(size), delay=60, timeout=SENT_BY_THEN_S))
            for size in (300, 200)
        )
        assert client._link.connection is not None
        while not client._link.connection._wanting_room:
            await client.topics()
        given_up.cancel()
        with pytest.raises(tapemq.IndeterminateError):  # it was sent
            await other
        broker.release()
        await large


@pytest.mark.parametrize("is_sent", [True, False])
async def test_what_is_too_large_since_a_restart_is_not_sent_again_and_again(is_sent: bool) -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        if is_sent:
            broker.react(m.Schedule, Reaction.IGNORE)
        else:
            broker.flow(0, "the disk is low")
        scheduling = asyncio.create_task(client.publish("t", bytes(600), delay=60, timeout=LONG_S))
        await broker.received(m.Schedule if is_sent else m.OpenProducer)
        broker.welcome = broker.welcome._replace(batch_bytes_max=500, record_bytes_max=500)
        await broker.cut()
        kind = tapemq.IndeterminateError if is_sent else tapemq.PayloadTooLarge
        with pytest.raises(kind, match="batch_bytes_max is 500 now: raise that, or"):
            await scheduling
        assert len(broker.of(m.Schedule)) == is_sent
        assert len(broker.sessions) == 2


async def test_a_producer_that_was_forgotten_is_opened_anew() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        (volume,) = broker.schedules.shelf.volumes.values()
        volume.book.producers._by_id.clear()
        receipt = await broker.later(b"b", 60)
        assert (receipt.schedule_id, receipt.duplicate) == (2, False)


@pytest.mark.parametrize("is_damaged", [False, True])
async def test_whether_a_refused_retry_was_heard_before_is_not_known(is_damaged: bool) -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with scheduled_broker(disk) as broker:
        await broker.later(b"a", 60)
        disk.stuck = True
        scheduling = asyncio.create_task(broker.later(b"b", 60))
        await arrived(broker, 2)
        (volume,) = broker.schedules.shelf.volumes.values()
        if is_damaged:
            volume.damage = "rot"
        else:
            volume.book.producers._by_id.clear()
        for connection in list(broker.server._sessions.by_number.values()):
            connection.abort("the network is gone")
        disk.release()
        with pytest.raises(tapemq.IndeterminateError, match="may be scheduled"):
            await scheduling
