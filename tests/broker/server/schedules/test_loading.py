import asyncio
import threading

import pytest

import tapemq
from tapemq.batch import Kind, LogId, Role, checksum
from tapemq_broker.core.schedules.entries import Firing, Shot, encode_entries
from tapemq_broker.server.schedules import loading
from tapemq_broker.server.schedules.check import Check
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.reading import ReadPlan
from tapemq_broker.storage.record_log import LogSettings, NewBatch
from tapemq_broker.storage.schedules.index import ScheduleIndex, TopicState
from tests.support.scheduled_broker import KeptIndex, ScheduledBroker, scheduled_broker
from tests.support.stuck_disk import StuckDisk


async def fill(broker: ScheduledBroker) -> None:
    """Two pending ones, one cancelled, one replaced, one recurring that has fired."""
    await broker.later(b"a", 60, schedule_key="a")
    await broker.later(b"old", 60, schedule_key="b")
    await broker.later(b"b", 90, schedule_key="b")
    gone = await broker.later(b"gone", 60)
    await broker.client.schedules("t").cancel(gone.schedule_id)
    await broker.client.schedule("t", b"tick", every=30, schedule_key="tick")
    broker.advance(30)
    await broker.values(1)
    while (await broker.client.schedules("t").get(key="tick")).fired == 0:
        pass


async def listed(broker: ScheduledBroker) -> list[tuple[bytes | None, int]]:
    return [(s.schedule_key, s.fired) async for s in broker.client.schedules("t").list()]


@pytest.mark.parametrize("kept", [True, False])
async def test_the_index_says_the_same_after_a_restart(kept: bool) -> None:
    async with scheduled_broker() as broker:
        await fill(broker)
        before = await listed(broker)
        assert before == [(b"a", 0), (b"tick", 1), (b"b", 0)]
        if not kept:
            await broker.stop()
            broker.index = KeptIndex()
        await broker.restart()
        assert await listed(broker) == before
        assert await broker.pending() == 3


async def test_only_what_the_index_misses_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scheduled_broker() as broker:
        await fill(broker)
        await broker.pending()
        await broker.stop()
        applied: list[int] = []
        apply = KeptIndex.apply

        def note(index: ScheduleIndex, topic_id: int, upto: int, operations: list[object]) -> None:
            applied.append(len(operations))
            apply(index, topic_id, upto, operations)  # type: ignore[arg-type]

        monkeypatch.setattr(KeptIndex, "apply", note)
        await broker.start()
        assert await broker.pending() == 3
        assert applied == []


async def test_an_index_that_is_ahead_of_its_log_is_not_believed() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        await broker.pending()
        await broker.stop()
        (topic_id,) = broker.index.topics()
        broker.index.apply(topic_id, 99, [])
        await broker.start()
        assert await broker.pending() == 1
        assert broker.index.state(topic_id).upto == 1


async def test_schedules_of_which_the_log_says_nonsense_are_refused_alone() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        await broker.stop()
        (topic,) = broker.disk.list_directory("topics/default")
        log_id = LogId(int(topic[2:-1], 16), 0, Role.SCHEDULE)
        path = f"topics/default/{topic}0.schedule"
        log = Log.open(broker.disk, path, log_id, settings=LogSettings(), now_us=0)
        body = encode_entries([Firing(0, 0, 0, (Shot(77, 1),))])  # of a schedule that is not there
        log.append(NewBatch(Kind.SCHEDULE, 1, body, checksum(body)), 0)
        log.close(clean=False, now_us=0)
        broker.disk.remove("CLEAN")
        await broker.start()
        with pytest.raises(tapemq.Error, match="not pending"):
            await broker.later(b"b", 60)
        assert (await broker.client.publish("t", b"c")).offset == 0


async def test_a_loading_puts_nothing_into_an_index_that_was_emptied_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the next one would go on behind what it put there, and never read what is before."""
    read_piece, turns = loading._read_piece, [threading.Event(), threading.Event()]
    reads = 0

    def hold(plan: ReadPlan, check: Check) -> loading._Piece:
        nonlocal reads
        reads += 1
        if reads == 2:  # of the first loading
            turns[0].set()
            turns[1].wait()
        return read_piece(plan, check)

    async with scheduled_broker() as broker:
        for number in range(5):
            await broker.later(b"%d" % number, 60)
        await broker.stop()
        broker.index = KeptIndex()
        monkeypatch.setattr(loading, "_READ_BYTES", 1)
        monkeypatch.setattr(loading, "_read_piece", hold)
        await broker.start()
        (volume,) = broker.schedules.shelf.volumes.values()
        while not turns[0].is_set():
            await broker.client.status()
        volume.begin_loading()
        await broker.schedules.runner.run(lambda index: index.reset())
        turns[1].set()
        while not volume.is_ready:
            await broker.client.status()
        assert len(await listed(broker)) == await broker.pending() == 5
        broker.advance(60)
        assert await broker.values(5) == [b"%d" % number for number in range(5)]
        await broker.restart(later_s=60)
        await broker.none_pending()
        assert len(await broker.all_values()) == 5


async def test_a_topic_whose_log_takes_long_to_read_makes_no_other_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read_piece, turn = loading._read_piece, threading.Event()

    def hold(plan: ReadPlan, check: Check) -> loading._Piece:
        if check.partitions == 2:
            turn.wait()
        return read_piece(plan, check)

    async with scheduled_broker() as broker:
        await broker.client.create_topic("t", partitions=2)
        await broker.later(b"a", 60, partition=0)
        await broker.client.publish("other", b"x", delay=60)
        monkeypatch.setattr(loading, "_read_piece", hold)
        broker.schedules.damaged("a test")
        while not any(volume.is_ready for volume in broker.schedules.shelf.volumes.values()):
            await broker.client.status()
        assert await broker.client.schedules("other").count() == 1
        turn.set()
        assert await broker.pending() == 1


async def test_a_topic_that_is_being_deleted_is_not_damaged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk, turn = StuckDisk(post=asyncio.get_running_loop().call_soon), threading.Event()
    state = KeptIndex.state

    def hold(self: KeptIndex, topic_id: int) -> TopicState:
        turn.wait()
        return state(self, topic_id)

    async with scheduled_broker(disk) as broker:
        await broker.later(b"a", 60)
        await broker.stop()
        monkeypatch.setattr(KeptIndex, "state", hold)
        await broker.start()
        (volume,) = broker.schedules.shelf.volumes.values()
        disk.stuck = True
        deleted = asyncio.create_task(broker.client.delete_topic("t"))
        while broker.server._engine.core.topics.by_id:
            await broker.client.status()
        turn.set()
        while broker.schedules._builder._at_work:
            await broker.client.status()
        disk.release()
        await deleted
        assert (volume.is_gone, volume.damage) == (True, "")
