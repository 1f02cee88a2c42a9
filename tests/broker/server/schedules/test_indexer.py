import asyncio
from collections.abc import Sequence

import pytest

from tapemq_broker.storage.schedules.index import Operation, TopicState
from tests.support.scheduled_broker import ScheduledBroker, scheduled_broker
from tests.support.stuck_disk import StuckDisk


async def volume_of(broker: ScheduledBroker) -> int:
    (topic_id,) = broker.schedules.shelf.volumes
    volume = broker.schedules.shelf.volumes[topic_id]
    await broker.schedules.indexer.caught_up(volume)
    return topic_id


async def test_what_is_durable_comes_into_the_index() -> None:
    async with scheduled_broker() as broker:
        for value in (b"a", b"b"):
            await broker.later(value, 60)
        topic_id = await volume_of(broker)
        assert broker.index.state(topic_id) == TopicState(2, 2, ())
        assert broker.schedules.shelf.volumes[topic_id].book.recent.size_bytes == 0


async def test_what_is_not_durable_does_not() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with scheduled_broker(disk) as broker:
        await broker.later(b"a", 60)
        topic_id = await volume_of(broker)
        disk.stuck = True
        making = asyncio.create_task(broker.later(b"b", 60))
        book = broker.schedules.shelf.volumes[topic_id].book
        for _ in range(20):
            await broker.client.status()
        assert book.count == 2
        assert broker.index.state(topic_id).upto == 1
        assert not making.done()
        disk.release()
        await making
        await volume_of(broker)
        assert broker.index.state(topic_id).upto == 2


async def test_an_index_that_cannot_be_written_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tapemq_broker.server.schedules.indexer._RETRY_S", 0.0)
    async with scheduled_broker() as broker:
        apply, failures = broker.index.apply, [OSError("full"), OSError("full")]

        def fail(*args: object) -> None:
            if failures:
                raise failures.pop()
            apply(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(broker.index, "apply", fail)
        await broker.later(b"a", 60)
        assert await broker.pending() == 1
        topic_id = await volume_of(broker)
        assert broker.index.state(topic_id).pending == 1
        assert not failures
        assert "cannot be written: full" in caplog.text


async def test_much_goes_in_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tapemq_broker.server.schedules.indexer._ENTRIES_AT_ONCE", 3)
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        topic_id = await volume_of(broker)
        apply, calls = broker.index.apply, []

        def note(topic_id: int, upto: int, operations: Sequence[Operation]) -> None:
            calls.append((upto, len(operations)))
            apply(topic_id, upto, operations)

        monkeypatch.setattr(broker.index, "apply", note)
        await asyncio.gather(*(broker.later(b"%d" % number, 60) for number in range(8)))
        await volume_of(broker)
        assert calls == [(4, 3), (7, 3), (9, 2)]
        assert broker.index.state(topic_id) == TopicState(9, 9, ())


async def test_nothing_is_put_into_an_index_that_was_emptied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else it would seem to hold all that comes before."""
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        topic_id = await volume_of(broker)
        volume = broker.schedules.shelf.volumes[topic_id]
        runner = broker.schedules.runner
        await runner._turn.acquire()
        await broker.later(b"b", 60)  # its move into the index waits for its turn
        volume.begin_loading()
        broker.index.reset()
        runner._turn.release()
        await runner.run(lambda index: None)
        assert broker.index.state(topic_id) == TopicState()
        broker.schedules.damaged("a test")
        while not volume.is_ready:
            await broker.client.status()
        assert broker.index.state(topic_id) == TopicState(2, 2, ())
