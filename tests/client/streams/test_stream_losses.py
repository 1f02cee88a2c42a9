import asyncio
from contextlib import suppress

import pytest

import tapemq
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.reading import World, cursor, fill, read
from tests.support.sdk import SENT_BY_THEN_S, client_of

pytestmark = pytest.mark.both_loops


# Losing the connection


@pytest.mark.parametrize("group", ["g", None])
@pytest.mark.parametrize("count", [1, 3, 4, 10])
async def test_reading_goes_on_behind_the_last_record(
    world: World, group: str | None, count: int
) -> None:
    async with world.reader(group) as stream:
        assert await read(stream, count) == list(range(count))
        await world.broker.cut()
        fill(world.topic, 2)
        assert await read(stream, 12 - count) == list(range(count, 12))
    if group:
        assert cursor(world.broker) == 12


async def test_member_keeps_its_name(world: World) -> None:
    async with world.reader() as stream:
        await world.broker.cut()
        await world.broker.received(m.Subscribe, 2)
        await read(stream, 1)
        names = {request.member for request in world.broker.of(m.Subscribe)}
        assert len(names) == 1
    async with world.reader() as other:
        await read(other, 1)
    assert world.broker.of(m.Subscribe)[-1].member not in names


@pytest.mark.parametrize("kind", [m.Subscribe, m.Commit, m.Credit, m.DescribeTopic])
@pytest.mark.parametrize("reaction", [Reaction.CUT, Reaction.LOSE])
async def test_cut_at_any_point_loses_and_repeats_nothing(
    world: World, kind: type, reaction: Reaction
) -> None:
    fill(world.topic, *[5] * 20)
    async with world.reader(prefetch_records=16, commit_interval=0.001) as stream:
        offsets = await read(stream, 3)
        world.broker.react(kind, *[reaction, Reaction.HANDLE] * 3)
        await world.broker.cut()
        offsets += await read(stream, 107)
        assert offsets == list(range(110))
    assert cursor(world.broker) == 110


async def test_first_subscription_survives_a_cut(world: World) -> None:
    world.broker.react(m.Subscribe, Reaction.CUT, Reaction.LOSE)
    async with world.reader() as stream:
        assert await read(stream, 3) == [0, 1, 2]


async def test_commit_waits_for_the_connection(world: World) -> None:
    async with world.reader() as stream:
        await read(stream, 5)
        world.broker.react(m.Commit, Reaction.CUT, Reaction.LOSE)
    assert cursor(world.broker) == 5


async def test_overloaded_broker_is_asked_again(world: World) -> None:
    world.broker.react(m.Subscribe, m.Failure(wire.OVERLOADED.code, "busy"))
    async with world.reader() as stream:
        assert await read(stream, 1) == [0]


# What cannot go on


async def test_missing_topic_is_told_on_entering(world: World) -> None:
    world.broker.may_create = False
    with pytest.raises(tapemq.TopicNotFound):
        await world.client.stream("other").__aenter__()


async def test_refused_subscription_is_told_on_entering(world: World) -> None:
    with pytest.raises(tapemq.OffsetOutOfRange):
        await world.reader(start=99).__aenter__()


async def test_silent_broker_is_told_on_entering() -> None:
    async with FakeBroker() as broker, await client_of(broker, timeout=SENT_BY_THEN_S) as client:
        broker.react(m.Subscribe, Reaction.IGNORE)
        with pytest.raises(tapemq.ConnectionLost, match=r"no subscription to t within 0\.5 s"):
            await client.stream("t").__aenter__()


@pytest.mark.parametrize("remade", [False, True])
async def test_topic_deleted_while_cut_off_is_told(world: World, remade: bool) -> None:
    async with world.reader(commit_interval=None) as stream:
        await read(stream, 10)
        del world.broker.topics["t"]
        if remade:
            world.broker.create("t")
        await world.broker.cut()
        with pytest.raises(tapemq.TopicNotFound, match="deleted" if remade else "no topic t"):
            await read(stream, 1)
        with pytest.raises(tapemq.TopicNotFound):
            await read(stream, 1)


async def test_end_of_the_subscription_is_told(world: World) -> None:
    async with world.reader(commit_interval=None) as stream:
        await read(stream, 10)
        gone = wire.UNKNOWN_TOPIC.code
        world.broker.session.send(m.Detached(1, 0, 0, gone, "the topic was deleted"))
        with pytest.raises(tapemq.TopicNotFound, match="was deleted"):
            await read(stream, 1)


async def test_subscription_that_ends_for_now_is_made_again(world: World) -> None:
    async with world.reader() as stream:
        await read(stream, 10)
        world.broker.session.send(m.Detached(1, 0, 0, wire.OVERLOADED.code, "busy"))
        fill(world.topic, 1)
        assert await read(stream, 1) == [10]


async def test_damaged_batch_is_told(world: World) -> None:
    stored = world.topic.partitions[0].batches[1]
    stored.data = stored.data[:-1] + b"\xff"
    async with world.reader() as stream:
        assert await read(stream, 3) == [0, 1, 2]
        for _ in range(2):
            with pytest.raises(tapemq.CorruptBatch, match=r"t: .*checksum"):
                await read(stream, 1)
    assert cursor(world.broker) == 3


async def test_stream_is_used_inside_its_block_only(world: World) -> None:
    stream = world.reader()
    with pytest.raises(tapemq.Closed, match="async with"):
        await read(stream, 1)
    async with stream:
        await read(stream, 1)
    with pytest.raises(tapemq.Closed):
        await read(stream, 1)


async def test_waiting_reader_ends_when_the_stream_is_closed(world: World) -> None:
    async with world.reader() as stream:
        await read(stream, 10)
        reading = asyncio.ensure_future(read(stream, 1))
        await asyncio.sleep(0)
        await stream.close()
        with pytest.raises(tapemq.Closed):
            await reading


async def test_block_of_a_stream_that_was_closed_is_left_without_a_commit(world: World) -> None:
    async with world.reader() as stream:
        await read(stream, 5)
        await stream.close()
    assert cursor(world.broker) == 0


async def test_closing_that_is_cancelled_leaves_no_member_behind(world: World) -> None:
    stream = await world.reader().__aenter__()
    world.broker.react(m.Unsubscribe, Reaction.HOLD)
    closing = asyncio.ensure_future(stream.close())
    await world.broker.received(m.Unsubscribe)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    with pytest.raises(tapemq.Closed):
        await read(stream, 1)
    await world.broker.cut()
    async with world.reader():
        await world.client.topics()  # an answer behind all that was asked for on this connection
        assert len(world.broker.of(m.Subscribe)) == 2


async def test_what_was_in_hand_comes_again_when_the_stream_is_entered_again(world: World) -> None:
    stream = world.reader()
    with suppress(KeyError):
        async with stream:
            await read(stream, 3)
            raise KeyError
    assert cursor(world.broker) == 2
    async with stream:
        assert await read(stream, 4) == [2, 3, 4, 5]
    assert cursor(world.broker) == 6
