import asyncio

import pytest

import tapemq
from tests.support.scheduled_broker import ScheduledBroker, scheduled_broker
from tests.support.stuck_disk import StuckDisk


async def test_records_without_a_key_take_turns_and_keys_have_their_partition() -> None:
    async with scheduled_broker() as broker:
        await broker.client.create_topic("t", 3)
        turns = [(await broker.later(b"x", 60)).partition for _ in range(4)]
        assert turns == [0, 1, 2, 0]
        assert len({(await broker.later(b"x", 60, key="a")).partition for _ in range(3)}) == 1
        published = await broker.client.publish("t", b"x", key="a")
        assert (await broker.later(b"x", 60, key="a")).partition == published.partition
        with pytest.raises(tapemq.PartitionNotFound):
            await broker.later(b"x", 60, partition=3)


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


async def test_without_an_answer_the_outcome_is_unknown() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with scheduled_broker(disk) as broker:
        await broker.later(b"a", 60)
        disk.stuck = True
        with pytest.raises(tapemq.IndeterminateError):
            await broker.later(b"b", 60, timeout=0.05)
        disk.release()
        assert (await broker.later(b"c", 60)).schedule_id == 3


async def test_a_topic_that_was_made_anew_is_looked_up_again() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"old", 60)
        await broker.client.delete_topic("t")
        await broker.client.create_topic("t")
        assert (await broker.later(b"new", 60)).schedule_id == 1
        assert await broker.pending() == 1


async def test_a_producer_that_was_forgotten_is_opened_anew() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        (volume,) = broker.schedules.shelf.volumes.values()
        volume.book.producers._by_id.clear()
        receipt = await broker.later(b"b", 60)
        assert (receipt.schedule_id, receipt.duplicate) == (2, False)


async def test_priority_decides_the_partition() -> None:
    async with scheduled_broker() as broker:
        await broker.client.create_topic("t", 2, priorities=3)
        turns = [(await broker.later(b"x", 60, priority=9)).partition for _ in range(3)]
        assert turns == [2, 5, 2]
        published = await broker.client.publish("t", b"x", key="a", priority=1)
        scheduled = await broker.later(b"x", 60, key="a", priority=1)
        assert published.partition == scheduled.partition
        assert scheduled.partition % 3 == 1
        every = await broker.client.schedule("t", b"x", key="a", priority=2, every=60)
        assert every.partition == scheduled.partition + 1
