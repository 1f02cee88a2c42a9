import asyncio
from pathlib import Path

import pytest

from tapemq_broker.server import log_store
from tapemq_broker.server.schedules import compaction
from tapemq_broker.storage.schedules.index import Row
from tapemq_broker.storage.schedules.inspection import Inspection
from tapemq_broker.storage.schedules.sqlite_index import SqliteScheduleIndex
from tests.support.mislaid import lose_position
from tests.support.scheduled_broker import ScheduledBroker, scheduled_broker

SEGMENT_BYTES = 4096


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_store, "_SCHEDULE_SEGMENT_BYTES", SEGMENT_BYTES)


def size_bytes(broker: ScheduledBroker) -> int:
    ((_, log),) = broker.server._logs._schedules.items()
    return log.size_bytes


async def use(broker: ScheduledBroker, rounds: int) -> None:
    for _ in range(rounds):
        await broker.later(b"x" * 500, 1)
        broker.advance(1)
        while await broker.pending() > 3:
            pass


async def test_what_is_done_leaves_nothing_behind() -> None:
    async with scheduled_broker() as broker:
        await use(broker, 60)
        await broker.none_pending()
        await use(broker, 1)
        await broker.none_pending()
        assert size_bytes(broker) < 4 * SEGMENT_BYTES


async def test_a_far_schedule_keeps_no_more_than_itself() -> None:
    async with scheduled_broker() as broker:
        far = [await broker.later(b"far %d" % n, 10**6, schedule_key=f"k{n}") for n in range(3)]
        await use(broker, 80)
        assert size_bytes(broker) < 8 * SEGMENT_BYTES
        await broker.restart()
        assert await broker.pending() == 3
        for number, receipt in enumerate(far):
            found = await broker.client.schedules("t").get(key=f"k{number}")
            assert (found.schedule_id, found.due) == (receipt.schedule_id, receipt.due)
        broker.advance(10**6)
        assert await broker.values(83) == [b"x" * 500] * 80 + [b"far 0", b"far 1", b"far 2"]


async def test_what_is_pending_is_not_written_again_and_again() -> None:
    async with scheduled_broker() as broker:
        for number in range(40):
            await broker.later(b"x" * 500, 10**6 + number)
        written = size_bytes(broker)
        assert written > 5 * SEGMENT_BYTES
        (volume,) = broker.schedules.shelf.volumes.values()
        await compaction.Compaction(broker.schedules._engine, broker.schedules.runner).step(volume)
        assert volume.book.next_offset == 40
        assert size_bytes(broker) == written


async def test_a_schedule_that_the_order_of_positions_lacks_stays_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Inspection, "run", lambda self: None)  # has not come to it yet
    path = tmp_path / "index"
    async with scheduled_broker() as broker:
        broker.open_index = lambda: SqliteScheduleIndex(path)
        await broker.restart()
        await use(broker, 1)
        far = await broker.later(b"far", 10**6)
        (topic_id,) = broker.schedules.shelf.volumes
        await broker.stop()
        lose_position(path, topic_id, far.schedule_id)
        await broker.start()
        await use(broker, 20)
        await broker.stop()
        path.unlink()
        await broker.start()
        assert (await broker.client.schedules("t").get(far.schedule_id)).due == far.due
        broker.advance(10**6)
        assert await broker.values(22) == [b"x" * 500] * 21 + [b"far"]
    assert caplog.text.count("made anew from the logs") == 1


async def test_an_index_that_cannot_be_read_leaves_the_log_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with scheduled_broker() as broker:

        def fail(*args: object) -> list[Row]:
            raise OSError("an error of the disk")

        with monkeypatch.context() as patched:
            patched.setattr(broker.index, "oldest", fail)
            for number in range(20):
                await broker.later(b"x" * 500, 1 + number)
            async with asyncio.timeout(60):
                broker.advance(20)
                await broker.none_pending()
        assert "a log stays long: an error of the disk" in caplog.text
        written = size_bytes(broker)
        await use(broker, 1)
        await broker.none_pending()
        assert size_bytes(broker) < written
