"""The index is damaged; whenever that is met, nothing is lost, early or twice."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

import tapemq
from tapemq_broker.core.effects import Effects
from tapemq_broker.core.schedules.book import Book
from tapemq_broker.server.schedules import firing as firing_module
from tapemq_broker.storage.schedules.index import Remove
from tapemq_broker.storage.schedules.inspection import Inspection
from tapemq_broker.storage.schedules.sqlite_index import SqliteScheduleIndex
from tests.support.damaged_index import DamagedIndex
from tests.support.mislaid import first_due, mislay, name_twice
from tests.support.scheduled_broker import ScheduledBroker, scheduled_broker

VALUES = [b"0", b"1", b"2"]


@asynccontextmanager
async def damaged_broker() -> AsyncIterator[tuple[ScheduledBroker, DamagedIndex]]:
    async with scheduled_broker() as broker:
        index = broker.index = DamagedIndex()
        await broker.restart()
        yield broker, index
        index.damage_at()


async def schedule(broker: ScheduledBroker, *topics: str) -> None:
    for topic in topics:
        for value in VALUES:
            await broker.client.publish(topic, value, delay=60)
    await all_ready(broker)


async def all_ready(broker: ScheduledBroker) -> None:
    for volume in broker.schedules.shelf.volumes.values():
        while not volume.is_ready or volume.indexed_upto < volume.book.next_offset:
            await broker.client.status()


async def listed(broker: ScheduledBroker, topic: str) -> int:
    schedules = broker.client.schedules(topic)
    found = [found.schedule_id async for found in schedules.list()]
    assert len(found) == len(set(found)) == await schedules.count()
    return len(found)


async def check_fired(broker: ScheduledBroker, *topics: str) -> None:
    """Whatever is pending comes, once, at its time; a restart changes nothing about that."""
    for topic in topics:
        assert await listed(broker, topic) == len(VALUES)
        assert (await broker.client.partition(topic, 0)).next_offset == 0
    broker.advance(60)
    await check_come(broker, *topics)
    await broker.restart(later_s=3600)
    await check_come(broker, *topics)


async def check_come(broker: ScheduledBroker, *topics: str) -> None:
    for topic in topics:
        while await broker.client.schedules(topic).count():
            pass
        async with broker.client.stream(topic, start="earliest") as stream:
            records = aiter(stream)
            assert [(await anext(records)).value for _ in VALUES] == VALUES
        assert (await broker.client.partition(topic, 0)).next_offset == len(VALUES)
        assert await listed(broker, topic) == 0


async def test_the_first_schedule_of_another_topic_meets_it() -> None:
    async with damaged_broker() as (broker, index):
        await schedule(broker, "t")
        index.damage_at(1)
        await schedule(broker, "other")
        assert index.resets == 1
        assert len(index.topics()) == 2
        await check_fired(broker, "t", "other")


async def test_nothing_is_lost_either_when_it_is_started_again_right_after_that() -> None:
    async with damaged_broker() as (broker, index):
        await schedule(broker, "t")
        index.damage_at(1)
        await broker.client.publish("other", VALUES[0], delay=60)
        await broker.later(b"3", 60)
        await broker.restart()
        assert await broker.pending() == 4
        broker.advance(60)
        assert await broker.values(4) == [*VALUES, b"3"]


@pytest.mark.parametrize("number", [0, 1])
async def test_one_of_two_topics_meets_it_at_a_start(number: int) -> None:
    async with damaged_broker() as (broker, index):
        await schedule(broker, "t", "other")
        await broker.restart()
        await all_ready(broker)
        in_order = list(broker.schedules.shelf.volumes)
        await broker.stop()
        index.damaged_topic = in_order[number]
        await broker.start()
        await all_ready(broker)
        assert index.resets == 1
        await check_fired(broker, "t", "other")


@pytest.mark.parametrize("call", range(1, 8))
async def test_a_start_meets_it_at_some_time(call: int) -> None:
    async with damaged_broker() as (broker, index):
        await schedule(broker, "t", "other")
        await broker.stop()
        index.damage_at(call)
        await broker.start()
        await all_ready(broker)
        await check_fired(broker, "t", "other")


@pytest.mark.parametrize("call", range(1, 12))
async def test_a_start_meets_it_with_firings_that_were_interrupted(
    monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    def nothing(book: Book, partition: int) -> Effects:
        return []

    async with damaged_broker() as (broker, index):
        await schedule(broker, "t", "other")
        with monkeypatch.context() as patched:
            patched.setattr(Book, "fired", nothing)
            patched.setattr(firing_module, "_RETRY_S", 0.0)
            broker.advance(60)
            for topic in ("t", "other"):
                while (await broker.client.partition(topic, 0)).next_offset < len(VALUES):
                    pass
            await broker.stop()
        index.damage_at(call)
        await broker.start()
        await check_come(broker, "t", "other")
        await broker.restart()
        await check_come(broker, "t", "other")


@pytest.mark.parametrize("call", range(1, 14))
async def test_it_is_met_again_while_it_is_made_anew(call: int) -> None:
    async with damaged_broker() as (broker, index):
        await schedule(broker, "t", "other")
        index.damage_at(call)
        broker.schedules.damaged("a test")
        await broker.later(b"3", 61)  # goes into the index when its topic is ready
        await all_ready(broker)
        broker.advance(60)
        await broker.client.schedules("t").cancel(4)
        await check_come(broker, "t", "other")
        await broker.restart()
        await check_come(broker, "t", "other")


async def test_all_topics_that_meet_it_have_it_emptied_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with damaged_broker() as (broker, index):
        await schedule(broker, "t", "other")
        await broker.stop()
        index.is_damaged = True
        await broker.start()
        await all_ready(broker)
        assert index.resets == 1
        assert caplog.text.count("made anew from the logs") == 1
        await check_fired(broker, "t", "other")


async def test_an_index_that_cannot_be_emptied_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with damaged_broker() as (broker, index):
        await schedule(broker, "t")
        index.failing_resets = [OSError("read-only"), OSError("read-only")]
        index.is_damaged = True
        await schedule(broker, "other")
        assert caplog.text.count("cannot be emptied: read-only") == 2
        await check_fired(broker, "t", "other")


async def test_topics_may_come_and_go_while_it_is_made_anew() -> None:
    async with damaged_broker() as (broker, index):
        await schedule(broker, "t", "gone")
        turn = broker.schedules.runner._turn
        await turn.acquire()
        broker.schedules.damaged("a test")
        making = asyncio.create_task(broker.client.publish("other", VALUES[0], delay=60))
        await broker.client.delete_topic("gone")
        while len(broker.schedules.shelf.volumes) < 2:
            await broker.client.status()
        assert not making.done()
        turn.release()
        await making
        for value in VALUES[1:]:
            await broker.client.publish("other", value, delay=60)
        await all_ready(broker)
        assert len(index.topics()) == 2
        await check_fired(broker, "t", "other")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE topic SET upto = 'x'",
        "UPDATE topic SET upto = NULL",
        "UPDATE topic SET count = 'x'",
        "UPDATE topic SET first_due_us = 'x'",
        "UPDATE topic SET topic_id = 'text'",
        "UPDATE topic SET topic_id = CAST(x'ff' AS TEXT)",
        "INSERT INTO topic VALUES ('text', 1, 1, 0, 1, 1)",
        "INSERT INTO topic VALUES (zeroblob(9), 1, 1, 0, 1, 1)",
        "INSERT INTO topic VALUES (x'01', 1, 0, 0, NULL, 1)",
        "INSERT INTO firing SELECT topic_id, 0, 1, 'text', 1 FROM topic",
        "INSERT INTO firing SELECT topic_id, 0, NULL, x'93000190', 1 FROM topic",
        "INSERT INTO firing SELECT topic_id, 'x', 1, x'93000190', 1 FROM topic",
        "UPDATE topic SET upto = upto + 1",
        "UPDATE schedule SET due_us = 'x'",
        "UPDATE schedule SET partition = 0.5",
    ],
)
async def test_a_start_meets_what_is_of_another_type(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    path = tmp_path / "index"
    async with scheduled_broker() as broker:
        broker.open_index = lambda: SqliteScheduleIndex(path)
        await broker.restart()
        await schedule(broker, "t")
        await broker.stop()
        with sqlite3.connect(path) as db:
            db.execute(change)
        db.close()
        await broker.start()
        await made_anew(broker, caplog)
        await check_fired(broker, "t")
        assert caplog.text.count("made anew from the logs") == 1


async def test_what_is_being_fired_and_not_there_is_the_fault_of_the_index(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log would be refused with all of the topic's schedules, and there is nothing wrong with
    it."""

    def nothing(book: Book, partition: int) -> Effects:
        return []

    async with scheduled_broker() as broker:
        await schedule(broker, "t")
        with monkeypatch.context() as patched:
            patched.setattr(Book, "fired", nothing)
            patched.setattr(firing_module, "_RETRY_S", 0.0)
            broker.advance(60)
            while (await broker.client.partition("t", 0)).next_offset < len(VALUES):
                pass
            await broker.stop()
        (topic_id,) = broker.index.topics()
        upto = broker.index.state(topic_id).upto
        broker.index.apply(topic_id, upto, [Remove(broker.index.page(topic_id, 0, 0, 1)[0][0])])
        await broker.start()
        await made_anew(broker, caplog)
        await check_come(broker, "t")
        assert "are refused" not in caplog.text


async def made_anew(broker: ScheduledBroker, caplog: pytest.LogCaptureFixture) -> None:
    """Wait for that; what damage there is among the schedules, reading them finds."""
    async with asyncio.timeout(60):
        while "made anew from the logs" not in caplog.text:
            with suppress(tapemq.Error):
                await listed(broker, "t")
        await all_ready(broker)


async def test_a_start_finds_what_nobody_would_meet(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A schedule that the order has decades later would not fire until then."""
    path = tmp_path / "index"
    async with scheduled_broker() as broker:
        broker.open_index = lambda: SqliteScheduleIndex(path)
        await broker.restart()
        await schedule(broker, "t")
        await broker.stop()
        mislay(path, *first_due(path))
        await broker.start()
        await made_anew(broker, caplog)
        await check_fired(broker, "t")
        assert "missing from index by_time" in caplog.text


async def test_nothing_comes_twice_before_the_look_at_the_index_finds_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Inspection, "run", lambda self: None)  # has not come to it yet
    path = tmp_path / "index"
    async with scheduled_broker() as broker:
        broker.open_index = lambda: SqliteScheduleIndex(path)
        await broker.restart()
        await schedule(broker, "t")
        await broker.stop()
        name_twice(path, *first_due(path), 3, instead_of=2)
        await broker.start()
        broker.advance(60)
        await check_come(broker, "t")
        assert caplog.text.count("made anew from the logs") == 1
