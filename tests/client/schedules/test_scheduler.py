import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import tapemq
from tapemq.testing import Broker
from tapemq.wire import messages as m
from tapemq.wire.limits import SCHEDULES_MAX
from tests.support.blocking import LONG_S
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.scheduled_broker import START, scheduled_broker
from tests.support.sdk import SENT_BY_THEN_S, client_of
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


async def test_a_partition_that_is_no_integer_harms_no_other_record() -> None:
    wrong: Any = 0.0
    async with scheduled_broker() as broker:
        waiting = asyncio.ensure_future(broker.later(b"x", 60, partition=0))
        with pytest.raises(TypeError):
            await broker.later(b"?", 60, partition=wrong)
        assert (await waiting).schedule_id == 1
        assert (await broker.later(b"y", 60, partition=False)).partition == 0


async def test_what_waits_for_its_topic_in_vain_is_not_kept() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.react(m.DescribeTopic, Reaction.HOLD)
        with pytest.raises(tapemq.TimeoutError):
            await client.publish("t", b"x", delay=60, timeout=0.01)
        assert not client._schedulers["t"]._unrouted


async def test_without_an_answer_the_outcome_is_unknown() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with scheduled_broker(disk) as broker:
        await broker.later(b"a", 60)
        disk.stuck = True
        with pytest.raises(tapemq.IndeterminateError):
            await broker.later(b"b", 60, timeout=SENT_BY_THEN_S)
        disk.release()
        assert (await broker.later(b"c", 60)).schedule_id == 3


async def test_a_topic_that_was_made_anew_is_looked_up_again() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"old", 60)
        await broker.client.delete_topic("t")
        await broker.client.create_topic("t")
        assert (await broker.later(b"new", 60)).schedule_id == 1
        assert await broker.pending() == 1


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


async def test_what_comes_together_leaves_together() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        numbers = range(2 * SCHEDULES_MAX + 10)
        receipts = await asyncio.gather(
            *(broker.later(b"%d" % number, 60 + number % 7) for number in numbers)
        )
        assert [one.schedule_id for one in receipts] == [number + 2 for number in numbers]
        assert [one.due for one in receipts] == [
            START + timedelta(seconds=60 + number % 7) for number in numbers
        ]
        (volume,) = broker.schedules.shelf.volumes.values()
        log = broker.server._engine.logs.data(volume.book.log)
        assert log._end.next_batch < 10
        broker.advance(67)
        await broker.none_pending()
        assert len(await broker.all_values()) == len(receipts) + 1


async def test_times_and_delays_keys_and_partitions_are_kept_apart() -> None:
    async with scheduled_broker() as broker:
        client = broker.client
        await client.create_topic("t", 2)
        receipts = await asyncio.gather(
            client.publish("t", b"a", delay=5, partition=0),
            client.publish("t", b"b", at=START + timedelta(seconds=6), partition=0),
            client.publish("t", b"c", delay=7, partition=1),
            client.publish("t", b"d", delay=8, partition=0, schedule_key="k"),
            client.publish("t", b"e", delay=9, partition=0),
            client.schedule("t", b"f", every=10, partition=1),
        )
        for second, receipt in enumerate(receipts, 5):
            assert receipt.due == START + timedelta(seconds=second)
        schedules = [one async for one in client.schedules("t").list()]
        assert [(one.due, one.schedule_id, one.partition) for one in schedules] == [
            (one.due, one.schedule_id, one.partition) for one in receipts
        ]


async def test_what_was_not_sent_is_withdrawn() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        given_up = asyncio.create_task(broker.later(b"b", 60))
        kept = asyncio.create_task(broker.later(b"c", 60))
        await asyncio.sleep(0)
        given_up.cancel()
        assert (await kept).schedule_id == 2
        with pytest.raises(asyncio.CancelledError):
            await given_up
        with pytest.raises(tapemq.TimeoutError, match="could not be scheduled"):
            await broker.later(b"d", 60, timeout=0)
        assert await broker.pending() == 2


async def test_what_is_given_up_before_its_turn_keeps_no_place() -> None:
    """Its parcel's task is cancelled before its first step: none of its code runs."""
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        for number in range(3):
            given_up = asyncio.create_task(broker.later(b"%d" % number, 60))
            await asyncio.sleep(0)
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
        assert (await broker.later(b"b", 60, timeout=LONG_S)).schedule_id == 2


async def test_what_is_late_and_cancelled_at_once_is_withdrawn_once() -> None:
    """As by an asyncio.timeout() that ends when the call's own does."""
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        given_up = asyncio.create_task(broker.later(b"b", 60))
        kept = asyncio.create_task(broker.later(b"c", 60, timeout=LONG_S))
        await asyncio.sleep(0)
        scheduler = broker.client._schedulers["t"]
        (lane,) = scheduler._lanes.values()
        scheduler._expire(lane.waiting[0].wanted[0], 1.0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert (await kept).schedule_id == 2


async def test_a_topic_that_cannot_be_made_is_said_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scheduled_broker() as broker:
        settings = replace(broker.server._engine.sessions.settings, auto_create_topics=False)
        monkeypatch.setattr(broker.server._engine.sessions, "settings", settings)
        found = await asyncio.gather(
            *(broker.later(b"x", 60) for _ in range(3)), return_exceptions=True
        )
        assert [type(one) for one in found] == [tapemq.TopicNotFound] * 3


async def test_what_leaves_together_is_no_larger_than_the_broker_takes() -> None:
    async with (
        Broker(batch_bytes_max=64 * 1024, record_bytes_max=32 * 1024) as broker,
        await broker.connect() as client,
    ):
        await client.publish("t", b"a", delay=60)
        receipts = await asyncio.gather(
            *(client.publish("t", bytes(1000), delay=60) for _ in range(200))
        )
        assert [one.schedule_id for one in receipts] == list(range(2, 202))
        assert not any(one.duplicate for one in receipts)


class Scheduling(FakeBroker):
    """Takes schedules."""

    def _on_schedule(self, *_: Any) -> m.Scheduled:
        return m.Scheduled(len(self.of(m.Schedule)), 0)


async def test_what_was_gathered_before_the_broker_takes_less_leaves_in_parts() -> None:
    async with Scheduling() as broker, await client_of(broker) as client:
        broker.flow(0, "the disk is low")
        scheduling = [
            asyncio.create_task(client.publish("t", bytes(200), delay=60, timeout=LONG_S))
            for _ in range(5)
        ]
        await broker.received(m.OpenProducer)
        broker.welcome = broker.welcome._replace(batch_bytes_max=500, record_bytes_max=300)
        await broker.cut()
        await asyncio.gather(*scheduling)
        assert len(broker.of(m.Schedule)) == 5
