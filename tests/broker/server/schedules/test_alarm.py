import asyncio
import errno
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

import tapemq
from tapemq_broker.server.schedules import alarm, zones
from tests.support.full_disk import FullDisk
from tests.support.scheduled_broker import START, scheduled_broker
from tests.support.stuck_disk import StuckDisk


async def test_nothing_comes_before_its_time() -> None:
    async with scheduled_broker() as broker:
        for value, seconds in ((b"c", 3), (b"a", 1), (b"b", 2)):
            await broker.later(value, seconds)
        broker.advance(0.999999)
        await broker.looked()
        assert await broker.all_values() == []
        broker.advance(0.000001)
        assert await broker.values(2) == [b"end", b"a"]
        broker.advance(5)
        records = await broker.records(4)
        assert [record.value for record in records] == [b"end", b"a", b"b", b"c"]
        assert records[1].timestamp == START + timedelta(seconds=1)


async def test_a_clock_that_is_set_back_makes_them_wait() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 10)
        broker.advance(-3600)
        broker.advance(3600 + 9)
        await broker.looked()
        assert await broker.all_values() == []
        broker.advance(1)
        assert await broker.values(2) == [b"end", b"a"]


async def test_a_clock_that_is_set_forward_is_noticed_without_being_told() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 10)
        await broker.pending()
        broker.clock.now += timedelta(seconds=10)
        assert await broker.values(1) == [b"a"]


async def test_what_became_due_while_the_broker_was_down_comes_at_once() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"b", 20)
        await broker.later(b"a", 10)
        await broker.restart(later_s=3600)
        assert await broker.values(2) == [b"a", b"b"]


@pytest.mark.parametrize(("catch_up", "count"), [("all", 6), ("last", 1), ("none", 0)])
async def test_what_recurs_catches_up_as_it_is_told(catch_up: tapemq.CatchUp, count: int) -> None:
    async with scheduled_broker() as broker:
        receipt = await broker.client.schedule("t", b"tick", every=10, catch_up=catch_up)
        assert receipt.due == START + timedelta(seconds=10)
        await broker.restart(later_s=65)
        found = await broker.client.schedules("t").get(receipt.schedule_id)
        while found.due <= broker.clock.now:
            found = await broker.client.schedules("t").get(receipt.schedule_id)
        assert (found.due, found.fired) == (START + timedelta(seconds=70), count)
        assert await broker.all_values() == [b"tick"] * count
        broker.advance(5)
        assert (await broker.values(count + 2))[-1] == b"tick"


@pytest.mark.parametrize("catch_up", ["last", "none"])
async def test_each_time_comes_though_the_disk_was_slow(catch_up: tapemq.CatchUp) -> None:
    """What catch_up says is about what passed while the broker was down."""
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with scheduled_broker(disk) as broker:
        await broker.client.schedule("t", b"tick", every=1, catch_up=catch_up)
        await broker.pending()
        disk.stuck = True
        broker.advance(1)
        while not any(volume.book.firings for volume in broker.schedules.shelf.volumes.values()):
            await broker.client.status()
        broker.advance(4.5)
        disk.release()
        async with asyncio.timeout(60):
            assert len(await broker.values(5)) == 5


async def test_cron_follows_its_zone_over_the_change_of_clocks() -> None:
    async with scheduled_broker() as broker:  # the day before clocks are set forward
        receipt = await broker.client.schedule(
            "t", b"daily", cron="30 6 * * *", time_zone="Europe/Berlin"
        )
        assert receipt.due == START.replace(day=29, hour=4, minute=30)
        broker.advance(16.5 * 3600)
        assert await broker.values(1) == [b"daily"]
        while (await broker.client.schedules("t").get(receipt.schedule_id)).fired == 0:
            pass
        found = await broker.client.schedules("t").get(receipt.schedule_id)
        assert found.due == START.replace(day=30, hour=4, minute=30)


async def test_while_the_disk_is_low_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 1)
        await broker.pending()
        flow = broker.server._flow
        monkeypatch.setattr(broker.disk, "free_bytes", lambda: 0)
        flow.check_disk()
        broker.advance(1)
        for _ in range(20):
            await broker.client.status()
        assert (await broker.client.partition("t", 0)).next_offset == 0
        monkeypatch.undo()
        flow.check_disk()
        assert await broker.values(1) == [b"a"]


async def test_an_index_that_cannot_be_read_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tapemq_broker.server.schedules.alarm._RETRY_S", 0.0)
    async with scheduled_broker() as broker:
        await broker.later(b"a", 1)
        await broker.pending()
        due, failures = broker.index.due, [OSError("gone for a moment")]

        def fail(*args: object) -> object:
            if failures:
                raise failures.pop()
            return due(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(broker.index, "due", fail)
        broker.advance(1)
        assert await broker.values(1) == [b"a"]
        assert "cannot be read: gone for a moment" in caplog.text


@pytest.mark.parametrize("is_read_again", [False, True])
async def test_zones_are_there_though_no_more_files_can_be_opened(
    monkeypatch: pytest.MonkeyPatch, is_read_again: bool
) -> None:
    """It was as if the zone did not exist, which ended the broker."""
    monkeypatch.setattr("tapemq_broker.server.schedules.alarm._RETRY_S", 0.0)
    async with scheduled_broker() as broker:
        await broker.client.schedule("t", b"a", cron="* * * * *", time_zone="Asia/Tokyo")
        await broker.pending()
        failures = [OSError(errno.EMFILE, "too many open files")]

        def fail(name: str) -> ZoneInfo:
            if failures:
                raise failures.pop()
            return ZoneInfo(name)

        monkeypatch.setattr(zones, "ZoneInfo", fail)
        if is_read_again:
            zones.zone.cache_clear()
        broker.advance(60)
        assert await asyncio.wait_for(broker.values(1), 10) == [b"a"]
        assert bool(failures) != is_read_again


async def test_a_zone_that_this_machine_does_not_have_is_its_topics_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It ended the broker, and each start of it as soon as something was due."""
    async with scheduled_broker() as broker:
        await broker.client.schedule("t", b"a", cron="* * * * *", time_zone="Asia/Tokyo")
        await broker.client.publish("other", b"x", delay=60)
        for topic in ("t", "other"):
            assert await broker.client.schedules(topic).count() == 1
        await broker.stop()

        def fail(name: str) -> ZoneInfo:
            raise KeyError(name)

        with monkeypatch.context() as patched:
            patched.setattr(zones, "ZoneInfo", fail)
            zones.zone.cache_clear()
            await broker.start()
            broker.advance(60)
            async with broker.client.stream("other", start="earliest") as stream:
                assert (await anext(aiter(stream))).value == b"x"
            with pytest.raises(tapemq.Error, match="there is no time zone 'Asia/Tokyo'"):
                await broker.pending()
            assert caplog.text.count("topic t: its schedules are refused: schedule 1") == 1
        await broker.restart()
        assert await broker.values(1) == [b"a"]


async def test_a_topic_whose_index_is_being_built_makes_no_other_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tapemq_broker.server.schedules.alarm._ROWS_AT_ONCE", 2)
    async with scheduled_broker() as broker:
        for number in range(5):
            await broker.later(b"%d" % number, 1)
        await broker.pending()
        (volume,) = broker.schedules.shelf.volumes.values()
        volume.is_ready = False
        await broker.client.publish("other", b"x", delay=2)
        broker.advance(2)
        async with broker.client.stream("other", start="earliest") as stream:
            assert (await anext(aiter(stream))).value == b"x"
        assert (await broker.client.partition("t", 0)).next_offset == 0
        volume.is_ready = True
        broker.schedules.alarm.due_at(0)
        assert await broker.values(5) == [b"%d" % number for number in range(5)]


async def test_more_than_one_batch_may_be_due_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tapemq_broker.server.schedules.alarm._ROWS_AT_ONCE", 7)
    monkeypatch.setattr("tapemq_broker.server.schedules.firing._BATCH_RECORDS", 3)
    async with scheduled_broker() as broker:
        for number in range(20):
            await broker.later(b"%d" % number, 1 + number / 1000)
        broker.advance(2)
        assert await broker.values(20) == [b"%d" % number for number in range(20)]
        await broker.none_pending()


async def test_what_is_left_of_a_deleted_topic_hides_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The broker died between the topic and its rows, and no topic had schedules at the start."""
    monkeypatch.setattr(alarm, "_ROWS_AT_ONCE", 3)
    async with scheduled_broker() as broker:
        for number in range(3):
            await broker.later(b"old %d" % number, 10)
        await broker.pending()
        with monkeypatch.context() as patched:
            patched.setattr(broker.index, "forget", lambda topic_id: None)
            await broker.client.delete_topic("t")
            await broker.restart()
            await broker.later(b"new", 20)
        broker.advance(20)
        assert await broker.values(1) == [b"new"]
        assert len(broker.index.topics()) == 1


async def test_while_the_disk_is_full_it_rests_between_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not one round after the other, each with a write that fails. (Simulation, seed 10.)"""
    monkeypatch.setattr("tapemq_broker.server.schedules.alarm._RETRY_S", 3600.0)
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    async with scheduled_broker(disk) as broker:
        await broker.later(b"a", 1)
        disk.full = True
        broker.advance(1)
        while not disk.refused:
            await broker.client.status()
        for _ in range(50):
            await broker.client.status()
        assert disk.refused == 1
        disk.full = False
