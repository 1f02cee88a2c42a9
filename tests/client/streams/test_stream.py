import asyncio
from datetime import UTC, datetime

import pytest

import tapemq
from tapemq.wire import messages as m
from tests.support.fake_broker import Reaction
from tests.support.reading import World, cursor, fill, read

pytestmark = pytest.mark.both_loops


# Reading


async def test_records_come_in_order(world: World) -> None:
    async with world.reader() as stream:
        assert await read(stream, 10) == list(range(10))
        assert stream.position == {0: 10}
        assert await stream.lag() == 0


async def test_loop_can_be_left_and_entered_again(world: World) -> None:
    async with world.reader() as stream:
        assert await read(stream, 2) == [0, 1]
        assert await read(stream, 4) == [2, 3, 4, 5]
        assert await stream.lag() == 4


async def test_records_that_come_later_are_waited_for(world: World) -> None:
    async with world.reader(start="latest") as stream:
        reading = asyncio.ensure_future(read(stream, 1))
        await world.broker.received(m.Subscribe)
        await world.client.publish("t", b"10")
        assert await reading == [10]


@pytest.mark.parametrize(
    ("start", "first"),
    [("earliest", 0), (4, 4), (datetime(2020, 1, 1, tzinfo=UTC), 0)],
)
async def test_reading_starts_where_it_is_asked_to(
    world: World, start: tapemq.Start, first: int
) -> None:
    async with world.reader(group=None, start=start) as stream:
        assert await read(stream, 1) == [first]


async def test_batches_are_handed_out_whole(world: World) -> None:
    async with world.reader() as stream:
        sizes = []
        async for batch in stream.batches():
            sizes.append((batch.first_offset, len(batch)))
            if batch.next_offset == 10:
                break
        assert sizes == [(0, 3), (3, 3), (6, 4)]


async def test_records_and_batches_can_be_mixed(world: World) -> None:
    async with world.reader() as stream:
        assert await read(stream, 1) == [0]
        async for batch in stream.batches():
            assert (batch.first_offset, batch.values) == (1, (b"1", b"2"))
            break
        assert await read(stream, 2) == [3, 4]


async def test_all_partitions_are_read(world: World) -> None:
    world.topic.grow(3)
    fill(world.topic, 2, partition=1)
    fill(world.topic, 2, partition=2)
    for group in ("g", None):
        async with world.reader(group) as stream:
            seen = set()
            async for record in stream:
                seen.add((record.partition, record.offset))
                if len(seen) == 14:
                    break
            assert stream.position == {0: 10, 1: 2, 2: 2}


async def test_some_partitions_are_read(world: World) -> None:
    world.topic.grow(3)
    fill(world.topic, 2, partition=2)
    async with world.reader(group=None, partitions=[2]) as stream:
        assert await read(stream, 2) == [0, 1]
        assert stream.position == {2: 2}


async def test_no_more_is_asked_for_than_is_taken(world: World) -> None:
    async with world.reader(prefetch_records=4, prefetch_bytes=100_000) as stream:
        assert world.broker.session.subscriptions[1].next == {0: 6}
        assert await read(stream, 10) == list(range(10))
        await world.broker.received(m.Credit, 3)
        assert sum(grant.records for grant in world.broker.of(m.Credit)) == 10


async def test_event_loop_gets_its_turn_while_records_are_there(world: World) -> None:
    fill(world.topic, *[1000] * 50)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with world.reader() as stream:
        await stream.lag()  # an answer behind all deliveries: they have arrived
        counting = asyncio.ensure_future(count_turns())
        async for record in stream:
            repr(record)  # takes its time: about 0.1 s in all
            if record.offset == 50_009:
                break
        assert turns >= 2
        counting.cancel()


# Committing


async def test_leaving_the_block_commits_what_was_handed_out(world: World) -> None:
    async with world.reader() as stream:
        await read(stream, 5)
        assert cursor(world.broker) == 0
    assert cursor(world.broker) == 5
    async with world.reader() as stream:
        assert await read(stream, 1) == [5]


async def test_exception_leaves_the_record_in_hand_uncommitted(world: World) -> None:
    async def work() -> None:
        async with world.reader() as stream:
            async for record in stream:
                if record.offset == 4:
                    raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    assert cursor(world.broker) == 4


async def test_exception_leaves_the_batch_in_hand_uncommitted(world: World) -> None:
    async def work() -> None:
        async with world.reader() as stream:
            async for batch in stream.batches():
                if batch.first_offset == 3:
                    raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    assert cursor(world.broker) == 3


async def test_cancellation_propagates_and_commits_nothing_in_hand(world: World) -> None:
    holding = asyncio.Event()

    async def work() -> None:
        async with world.reader() as stream:
            async for record in stream:
                if record.offset == 4:
                    holding.set()
                    await asyncio.Event().wait()

    working = asyncio.ensure_future(work())
    await holding.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert cursor(world.broker) == 4


async def test_cancellation_between_records_commits_them_all(world: World) -> None:
    async def work() -> None:
        async with world.reader(commit_interval=0.005) as stream:
            async for _ in stream:
                pass

    working = asyncio.ensure_future(work())
    while not world.broker.of(m.Commit) or world.broker.of(m.Commit)[-1].offset < 10:
        await world.broker.received(m.Commit, len(world.broker.of(m.Commit)) + 1)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert cursor(world.broker) == 10


async def test_commits_are_made_as_time_goes_by(world: World) -> None:
    async with world.reader(commit_interval=0.005) as stream:
        async for record in stream:
            if record.offset == 4:
                await world.broker.received(m.Commit)
                assert cursor(world.broker) == 4
                break


async def test_explicit_commit_includes_the_record_in_hand(world: World) -> None:
    async with world.reader(commit_interval=None) as stream:
        await read(stream, 5)
        await stream.commit()
        assert cursor(world.broker) == 5
        await stream.commit()
        assert len(world.broker.of(m.Commit)) == 1
        await read(stream, 2)
    assert cursor(world.broker) == 5


async def test_explicit_commit_is_not_for_the_records_behind_it(world: World) -> None:
    async def work() -> None:
        async with world.reader() as stream:
            async for record in stream:
                if record.offset == 0:
                    await stream.commit()
                if record.offset == 2:
                    raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    assert cursor(world.broker) == 2


async def test_reader_without_a_group_commits_nothing(world: World) -> None:
    async with world.reader(group=None) as stream:
        await read(stream, 5)
        with pytest.raises(ValueError, match="group"):
            await stream.commit()
    assert not world.broker.of(m.Commit)
    assert len(world.broker.of(m.Unsubscribe)) == 1


async def test_hold_is_asked_for(world: World) -> None:
    async with world.reader(hold=True):
        assert world.broker.of(m.Subscribe)[0].hold


# Seeking


@pytest.mark.parametrize("group", ["g", None])
async def test_seek_goes_back_and_forth(world: World, group: str | None) -> None:
    async with world.reader(group) as stream:
        assert await read(stream, 5) == [0, 1, 2, 3, 4]
        await stream.seek(1)
        assert await read(stream, 3) == [1, 2, 3]
        await stream.seek(8)
        assert stream.position == {0: 8}
        assert await read(stream, 2) == [8, 9]
        await stream.seek("earliest")
        assert await read(stream, 1) == [0]


@pytest.mark.parametrize("group", ["g", None])
async def test_one_partition_is_sought(world: World, group: str | None) -> None:
    world.topic.grow(2)
    fill(world.topic, 10, partition=1)
    async with world.reader(group) as stream:
        async for record in stream:
            if record.partition == 1 and record.offset == 9:
                break
        await stream.seek(3, partition=1)
        assert stream.position == {0: 10, 1: 3}
        assert await read(stream, 1) == [3]
        with pytest.raises(tapemq.PartitionNotFound):
            await stream.seek(0, partition=7)


@pytest.mark.parametrize("group", ["g", None])
async def test_seek_beyond_the_end_is_refused(world: World, group: str | None) -> None:
    async with world.reader(group) as stream:
        await read(stream, 1)
        with pytest.raises(tapemq.OffsetOutOfRange):
            await stream.seek(99)
        assert await read(stream, 1) == [1]
        await world.broker.cut()
        assert await read(stream, 8) == [2, 3, 4, 5, 6, 7, 8, 9]


async def goes_on_with_both_partitions(world: World, stream: tapemq.Stream) -> None:
    assert stream.position == {0: 10, 1: 2}
    await world.client.publish("t", b"10", partition=0)
    await world.client.publish("t", b"2", partition=1)
    records = aiter(stream)
    seen = [await anext(records), await anext(records)]
    assert sorted((one.partition, one.offset) for one in seen) == [(0, 10), (1, 2)]


async def test_seek_that_one_partition_refuses_moves_none(world: World) -> None:
    world.topic.grow(2)
    fill(world.topic, 2, partition=1)
    async with world.reader(None) as stream:
        while stream.position != {0: 10, 1: 2}:
            await anext(aiter(stream))
        with pytest.raises(tapemq.OffsetOutOfRange):
            await stream.seek(5)
        await goes_on_with_both_partitions(world, stream)


@pytest.mark.parametrize("reaction", [Reaction.IGNORE, Reaction.HOLD])
async def test_cancelled_seek_without_a_group_has_not_happened(
    world: World, reaction: Reaction
) -> None:
    world.topic.grow(2)
    fill(world.topic, 2, partition=1)
    async with world.reader(None) as stream:
        while stream.position != {0: 10, 1: 2}:
            await anext(aiter(stream))
        made = len(world.broker.of(m.Subscribe))
        world.broker.react(m.Subscribe, reaction)
        seeking = asyncio.ensure_future(stream.seek("earliest"))
        await world.broker.received(m.Subscribe, made + 1)
        await world.client.topics()  # an answer behind what was assigned
        seeking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await seeking
        await goes_on_with_both_partitions(world, stream)


async def test_seek_that_is_not_answered_has_not_happened(world: World) -> None:
    async with world.reader(None) as stream:
        await read(stream, 5)
        stream._subscriber._timeout_s = 0.05
        world.broker.react(m.Subscribe, Reaction.IGNORE)
        with pytest.raises(tapemq.ConnectionLost, match=r"no subscription to t within 0\.05 s"):
            await stream.seek("earliest")
        assert await read(stream, 5) == [5, 6, 7, 8, 9]


async def test_seek_of_a_group_that_is_not_heard_of_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answered(*_: object) -> m.Done:
        return m.Done()

    async with world.reader(commit_interval=None) as stream:
        await read(stream, 5)
        monkeypatch.setattr(stream._link, "call", answered)
        stream._subscriber._timeout_s = 0.05
        with pytest.raises(tapemq.ConnectionLost):
            await stream.seek("earliest")
        seeking = asyncio.ensure_future(stream.seek("earliest"))
        await asyncio.sleep(0)
        stream.fail(tapemq.TopicNotFound("it was deleted"))
        with pytest.raises(tapemq.TopicNotFound):
            await seeking


@pytest.mark.parametrize("reaction", [Reaction.CUT, Reaction.LOSE])
async def test_seek_survives_a_cut(world: World, reaction: Reaction) -> None:
    async with world.reader(None) as stream:
        await read(stream, 5)
        world.broker.react(m.Subscribe, reaction)
        await stream.seek(8)
        assert await read(stream, 2) == [8, 9]


@pytest.mark.parametrize("group", ["g", None])
async def test_seek_is_for_open_streams(world: World, group: str | None) -> None:
    stream = world.reader(group)
    with pytest.raises(tapemq.Closed, match="not open"):
        await stream.seek(0)
    async with stream:
        pass
    with pytest.raises(tapemq.Closed, match="is closed"):
        await stream.seek(0)
