"""A firing that is interrupted at each of its steps, by a stop; the simulation crashes it."""

import asyncio

import pytest

import tapemq
from tapemq_broker.core.effects import Effects
from tapemq_broker.core.producers import Producers
from tapemq_broker.core.schedules.book import Book
from tapemq_broker.server.schedules import firing as firing_module
from tapemq_broker.server.schedules.firing import Firing
from tapemq_broker.server.schedules.shelf import Volume
from tests.support.full_disk import FullDisk
from tests.support.scheduled_broker import ScheduledBroker, scheduled_broker
from tests.support.stuck_disk import StuckDisk


async def schedule_some(broker: ScheduledBroker) -> None:
    for value in (b"a", b"b"):
        await broker.later(value, 1)
    await broker.pending()  # both are in the index, so one firing is for both


async def test_interrupted_before_the_append(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(firing: Firing, volume: object, number: int) -> None:
        """The broker stops here."""

    async with scheduled_broker() as broker:
        await schedule_some(broker)
        with monkeypatch.context() as patched:
            patched.setattr(Firing, "finish", never)
            broker.advance(1)
            await broker.until_firing()
            await broker.stop()
        await broker.start()
        await broker.none_pending()
        assert await broker.all_values() == [b"a", b"b"]


@pytest.mark.parametrize("index_kept", [True, False])
async def test_interrupted_behind_the_append(
    monkeypatch: pytest.MonkeyPatch, index_kept: bool
) -> None:
    def nothing(book: Book, partition: int) -> Effects:
        return []

    async with scheduled_broker() as broker:
        await schedule_some(broker)
        with monkeypatch.context() as patched:
            patched.setattr(Book, "fired", nothing)
            patched.setattr(firing_module, "_RETRY_S", 0.0)
            broker.advance(1)
            await broker.values(2)
            await broker.stop()
        if not index_kept:
            broker.index = type(broker.index)()
        await broker.start()
        await broker.none_pending()
        assert await broker.all_values() == [b"a", b"b"]


async def test_nothing_is_appended_before_the_firing_is_durable() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with scheduled_broker(disk) as broker:
        await schedule_some(broker)
        disk.stuck = True
        broker.advance(1)
        await broker.until_firing()
        for _ in range(20):
            await broker.client.status()
        assert (await broker.client.partition("t", 0)).next_offset == 0
        disk.release()
        assert await broker.values(2) == [b"a", b"b"]


async def test_a_firing_is_not_over_before_its_records_are_durable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a crash that kept its end, but not them, they would never come."""
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    append = Firing._append

    async def stuck(firing: Firing, volume: Volume, number: int, body: bytes) -> int | None:
        disk.stuck = True
        return await append(firing, volume, number, body)

    monkeypatch.setattr(Firing, "_append", stuck)
    async with scheduled_broker(disk) as broker:
        await schedule_some(broker)
        (volume,) = broker.schedules.shelf.volumes.values()
        broker.advance(1)
        while not disk.stuck:
            await broker.client.status()
        for _ in range(20):
            await broker.client.status()
        is_over = not volume.book.firings
        disk.release()
        assert not is_over
        assert await broker.values(2) == [b"a", b"b"]
        await broker.none_pending()


async def test_cancelling_what_is_firing_waits_and_is_too_late() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with scheduled_broker(disk) as broker:
        receipt = await broker.later(b"a", 1)
        await broker.pending()
        disk.stuck = True
        broker.advance(1)
        await broker.until_firing()
        cancelling = asyncio.create_task(broker.client.schedules("t").cancel(receipt.schedule_id))
        for _ in range(20):
            await broker.client.status()
        assert not cancelling.done()
        disk.release()
        with pytest.raises(Exception, match="no schedule is pending"):
            await cancelling
        assert await broker.all_values() == [b"a"]


async def test_replacing_what_is_firing_makes_a_new_one() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with scheduled_broker(disk) as broker:
        await broker.later(b"a", 1, schedule_key="k")
        await broker.pending()
        disk.stuck = True
        broker.advance(1)
        await broker.until_firing()
        replacing = asyncio.create_task(broker.later(b"b", 1, schedule_key="k"))
        for _ in range(20):
            await broker.client.status()
        disk.release()
        assert not (await replacing).replaced
        broker.advance(1)
        await broker.none_pending()
        assert await broker.all_values() == [b"a", b"b"]


async def test_a_full_disk_delays_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firing_module, "_RETRY_S", 0.0)
    monkeypatch.setattr("tapemq_broker.server.schedules.alarm._RETRY_S", 0.0)
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    for room_for in range(3):
        async with scheduled_broker(disk) as broker:
            await schedule_some(broker)
            disk.refused, disk.room_for, disk.full = 0, room_for, True
            broker.advance(1)
            while disk.refused < 3:
                await broker.client.status()
            disk.full = False
            await broker.none_pending()
            assert len(await broker.all_values()) == 3 * room_for + 2


async def test_a_scheduler_that_was_forgotten_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 1)
        broker.advance(1)
        await broker.none_pending()
        await broker.later(b"b", 1)
        await broker.pending()
        place_of, places = Producers.place_of, []

        def forget(producers: Producers, producer_id: int) -> tuple[int, int]:
            places.append(place_of(producers, producer_id))
            producers._by_id.clear()
            return places[-1]

        with monkeypatch.context() as patched:
            patched.setattr(Producers, "place_of", forget)
            broker.advance(1)
            await broker.none_pending()
        assert places == [(0, 1), (0, 0)]
        assert await broker.all_values() == [b"a", b"b"]


async def test_a_firing_that_was_abandoned_is_over_for_the_next_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would go on with it, and miss schedules that were cancelled since."""
    async with scheduled_broker() as broker:
        await broker.later(b"a", 1)
        broker.advance(1)
        await broker.none_pending()
        await broker.later(b"b", 1, schedule_key="b")
        await broker.later(b"c", 3600)
        await broker.pending()
        place_of, abandon, abandoned = Producers.place_of, Book.abandon, []

        def forget(producers: Producers, producer_id: int) -> tuple[int, int]:
            place = place_of(producers, producer_id)
            producers._by_id.clear()
            return place

        def then_stop(book: Book, partition: int) -> Effects:
            broker.schedules.firing.is_stopping = True
            abandoned.append(partition)
            return abandon(book, partition)

        with monkeypatch.context() as patched:
            patched.setattr(Producers, "place_of", forget)
            patched.setattr(Book, "abandon", then_stop)
            broker.advance(1)
            while not abandoned:
                await broker.client.status()
        await broker.client.schedules("t").cancel(key="b")
        await broker.restart()
        assert await broker.pending() == 1
        assert await broker.all_values() == [b"a"]


async def test_what_is_cancelled_while_others_of_its_round_fire_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when the index has been told, so that nothing recent speaks of it."""
    gate, waiting, finish = asyncio.Event(), [], Firing.finish

    async def when_told(firing: Firing, volume: Volume, number: int) -> None:
        waiting.append(number)
        await gate.wait()
        await finish(firing, volume, number)

    monkeypatch.setattr(firing_module, "_BATCH_RECORDS", 1)
    monkeypatch.setattr(Firing, "finish", when_told)
    async with scheduled_broker() as broker:
        for value in ("a", "b"):
            await broker.later(value.encode(), 1, schedule_key=value)
        await broker.pending()
        broker.advance(1)
        while not waiting:
            await broker.client.status()
        await broker.client.schedules("t").cancel(key="b")
        (volume,) = broker.schedules.shelf.volumes.values()
        await broker.schedules.indexer.caught_up(volume)
        gate.set()
        await broker.none_pending()
        assert volume.book.count == 0
        assert await broker.all_values() == [b"a"]


async def test_a_damaged_partition_keeps_its_own_waiting(caplog: pytest.LogCaptureFixture) -> None:
    async with scheduled_broker() as broker:
        await broker.client.create_topic("t", 2)
        await broker.later(b"stuck", 1, partition=0)
        await broker.later(b"free", 1, partition=1)
        (topic,) = broker.server._engine.core.topics.by_id.values()
        topic.partitions[0].damage = "a bit is wrong"
        broker.advance(1)
        assert await broker.values(1, partition=1) == [b"free"]
        while (topic.info.topic_id, 0) not in broker.schedules.firing.refused:
            await broker.client.status()
        assert "a bit is wrong" in caplog.text
        assert await broker.pending() == 1
        topic.partitions[0].damage = ""


async def give_up(broker: ScheduledBroker, disk: StuckDisk, fault: str) -> asyncio.Task[None]:
    """Have a firing of key "k" given up; returns a cancelling that has waited for its end."""
    await broker.client.create_topic("t", 2)
    await broker.later(b"a", 1, schedule_key="k", partition=1)
    await broker.pending()
    (topic,) = broker.server._engine.core.topics.by_id.values()
    disk.stuck = True
    broker.advance(1)
    await broker.until_firing()
    cancelling = asyncio.create_task(broker.client.schedules("t").cancel(key="k"))
    for _ in range(20):
        await broker.client.status()
    assert not cancelling.done()
    if fault == "damaged":
        topic.partitions[1].damage = "a bit is wrong"
    else:
        topic.partitions.pop()
    disk.release()
    return cancelling


@pytest.mark.parametrize(
    ("fault", "text"), [("damaged", "a bit is wrong"), ("missing", "does not exist")]
)
async def test_what_was_firing_into_a_partition_that_failed_cannot_be_changed(
    fault: str, text: str
) -> None:
    """Nobody waits for the end of its firing: it does not come before the next start."""
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with scheduled_broker(disk) as broker:
        cancelling = await give_up(broker, disk, fault)
        async with asyncio.timeout(60):
            with pytest.raises(tapemq.StorageFailed, match=text):
                await cancelling
            with pytest.raises(tapemq.StorageFailed, match="partition 1"):
                await broker.client.schedules("t").cancel(key="k")
            with pytest.raises(tapemq.StorageFailed, match="partition 1"):
                await broker.later(b"b", 1, schedule_key="k", partition=0)
            await broker.later(b"c", 1, schedule_key="c", partition=0)
            await broker.later(b"d", 1, partition=0)
        broker.advance(1)
        assert await broker.values(2, partition=0) == [b"c", b"d"]
        assert await broker.pending() == 1


async def test_a_firing_that_was_given_up_goes_on_at_the_next_start() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with scheduled_broker(disk) as broker:
        cancelling = await give_up(broker, disk, "damaged")
        with pytest.raises(tapemq.StorageFailed):
            await cancelling
        await broker.restart()
        await broker.none_pending()
        assert await broker.all_values(partition=1) == [b"a"]
        assert not (await broker.later(b"b", 1, schedule_key="k", partition=0)).replaced


async def test_schedules_wait_for_a_partition_that_a_power_cut_took(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with scheduled_broker() as broker:
        await broker.client.create_topic("t", 2)
        await broker.later(b"early", 1, partition=1)
        await broker.later(b"free", 1, partition=0)
        (topic,) = broker.server._engine.core.topics.by_id.values()
        taken = topic.partitions.pop()
        broker.advance(1)
        assert await broker.values(1, partition=0) == [b"free"]
        while not broker.schedules.firing.left_out():
            await broker.client.status()
        assert "schedules wait for partition 1" in caplog.text
        assert await broker.pending() == 1
        topic.partitions.append(taken)
        assert not broker.schedules.firing.left_out()
        broker.schedules.alarm.due_at(0)
        assert await broker.values(1, partition=1) == [b"early"]


async def test_what_waits_for_a_partition_comes_when_that_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though nothing else is due by then."""
    monkeypatch.setattr("tapemq_broker.server.schedules.alarm._RETRY_S", 0.0)
    catalog = "catalog/00000000000000000000.log"
    async with scheduled_broker() as broker:
        await broker.client.create_topic("t", 1)
        before = broker.disk.read_file(catalog)
        await broker.client.alter_topic("t", partitions=2)
        await broker.later(b"a", 1, partition=1)
        await broker.pending()
        await broker.stop()
        for path in ("CLEAN", *(f"catalog/{it}" for it in broker.disk.list_directory("catalog"))):
            broker.disk.remove(path)
        broker.disk.replace_file(catalog, before or b"")
        await broker.start()
        broker.advance(1)
        while not broker.schedules.firing.left_out() or broker.schedules.alarm._due_us is not None:
            await broker.client.status()
        await broker.client.alter_topic("t", partitions=2)
        async with asyncio.timeout(60):
            assert await broker.values(1, partition=1) == [b"a"]
        assert not broker.schedules.firing.find_missing()


async def test_a_topic_can_be_deleted_while_it_is_firing() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with scheduled_broker(disk) as broker:
        await schedule_some(broker)
        disk.stuck = True
        broker.advance(1)
        await broker.until_firing()
        deleting = asyncio.create_task(broker.client.delete_topic("t"))
        for _ in range(10):
            await broker.client.status()
        disk.release()
        await deleting
        assert await broker.client.topics() == []
        await broker.later(b"new", 1)
        broker.advance(1)
        assert await broker.values(1) == [b"new"]
