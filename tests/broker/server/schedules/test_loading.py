import pytest

import tapemq
from tapemq.batch import Kind, LogId, Role, checksum
from tapemq_broker.core.schedules.entries import Firing, Shot, encode_entries
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.record_log import LogSettings, NewBatch
from tapemq_broker.storage.schedules.index import ScheduleIndex
from tests.support.scheduled_broker import KeptIndex, ScheduledBroker, scheduled_broker


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
