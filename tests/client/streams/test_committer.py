import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

import tapemq
from tapemq.batch import Columns, encode_body
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.blocking import LONG_S
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.sdk import SENT_BY_THEN_S, client_of

pytestmark = pytest.mark.both_loops

STOPPING = m.Failure(wire.OVERLOADED.code, "the broker is stopping")
FENCED = m.Failure(wire.FENCED.code, "another member has it")
LONG_MS = 60_000


class Member:
    """A stream on two partitions of three records each, and the broker that may revoke them."""

    def __init__(self, broker: FakeBroker, stream: tapemq.Stream) -> None:
        self.broker = broker
        self.stream = stream
        self.seen: list[tuple[int, int]] = []
        self.records: AsyncIterator[tapemq.Record] = aiter(stream)

    async def read(self, count: int) -> None:
        """Take records, the last of which stays in hand."""
        for _ in range(count):
            record = await anext(self.records)
            self.seen.append((record.partition, record.offset))

    async def revoke(self, partition: int, deadline_ms: int = LONG_MS) -> None:
        self.broker.session.send(m.Revoke(1, partition, 1, deadline_ms))
        await self.stream.lag()  # an answer behind it: it has arrived

    async def assign(self, partition: int, generation: int, offset: int) -> None:
        group = self.broker.topics["t"].partitions[partition].groups["g"]
        group.generation = generation
        self.broker.session.subscriptions[1].generation[partition] = generation
        self.broker.assign(self.broker.session, 1, partition, offset)
        self.broker.session.deliver()
        await self.stream.lag()

    def cursor(self, partition: int) -> int:
        return self.broker.topics["t"].partitions[partition].groups["g"].cursor


@pytest.fixture
async def broker() -> AsyncIterator[FakeBroker]:
    async with FakeBroker() as broker:
        for partition in broker.create("t", partitions=2).partitions:
            partition.append(encode_body(Columns([b"0", b"1", b"2"])), 3)
        yield broker


def reader(client: tapemq.Client, commit_interval: float | None = 1000.0) -> tapemq.Stream:
    return client.stream("t", group="g", start="earliest", commit_interval=commit_interval)


@pytest.fixture
async def member(broker: FakeBroker) -> AsyncIterator[Member]:
    async with await client_of(broker) as client, reader(client) as stream:
        yield Member(broker, stream)


def committing() -> list[str]:
    """What committers are doing in tasks of their own."""
    works = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [work.partition(".")[2] for work in works if work.startswith("Committer.")]


# Handing over


async def test_untouched_partition_is_released_at_once(member: Member) -> None:
    await member.read(1)
    await member.revoke(1)
    assert await member.broker.received(m.Release) == [m.Release(1, 1, 1)]
    assert not member.broker.of(m.Commit)
    await member.read(2)
    assert member.seen == [(0, 0), (0, 1), (0, 2)]
    assert member.stream.position == {0: 3}
    assert committing() == ["_run"]
    assert member.stream._committer is not None
    assert len(member.stream._committer._tasks) == 1  # nothing is kept of what has ended


async def test_partition_that_is_asked_for_while_the_stream_is_entered_is_released(
    broker: FakeBroker,
) -> None:
    """As when several members of a group are begun at the same time."""
    broker.react(m.Subscribe, Reaction.HOLD)
    async with await client_of(broker) as client:
        stream = reader(client)
        entering = asyncio.create_task(stream.__aenter__())
        await broker.received(m.Subscribe)
        broker.session.send(m.Revoke(1, 1, 1, LONG_MS))
        broker.release()
        async with await entering:
            async with asyncio.timeout(LONG_S):
                assert await broker.received(m.Release) == [m.Release(1, 1, 1)]


async def test_stream_that_cannot_be_entered_commits_nothing_more(broker: FakeBroker) -> None:
    broker.react(m.Subscribe, m.Failure(wire.OFFSET_OUT_OF_RANGE.code, "beyond the end"))
    async with await client_of(broker) as client:
        with pytest.raises(tapemq.OffsetOutOfRange):
            await reader(client).__aenter__()
        await asyncio.sleep(0)
        assert not committing()


async def test_record_in_hand_is_finished_and_committed_first(member: Member) -> None:
    await member.read(2)
    await member.revoke(0)
    assert not member.broker.of(m.Release)
    await member.read(1)
    assert member.seen == [(0, 0), (0, 1), (1, 0)]
    await member.broker.received(m.Release)
    assert member.cursor(0) == 2
    assert [type(r) for r in member.broker.requests if type(r) in (m.Commit, m.Release)] == [
        m.Commit,
        m.Release,
    ]
    assert [commit.deadline_ms for commit in member.broker.of(m.Commit)] == [10_000]


async def test_record_that_takes_too_long_is_left_to_the_next_owner(
    member: Member, caplog: pytest.LogCaptureFixture
) -> None:
    await member.read(2)
    await member.revoke(0, deadline_ms=10)
    await member.broker.received(m.Release)
    assert member.cursor(0) == 1
    assert "record in hand" in caplog.text


async def test_partition_that_comes_back_starts_at_its_commit(member: Member) -> None:
    await member.read(2)
    await member.revoke(0)
    await member.read(1)
    await member.broker.received(m.Release)
    await member.assign(0, generation=7, offset=1)
    await member.read(4)
    assert member.seen[2:] == [(1, 0), (1, 1), (1, 2), (0, 1), (0, 2)]


async def test_partition_assigned_anew_is_not_released(member: Member) -> None:
    await member.read(2)
    await member.revoke(0)
    await member.assign(0, generation=2, offset=0)
    assert committing() == ["_run"]  # nor will it be said later on that it was given up
    await member.read(4)
    assert sorted(member.seen) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    await member.stream.commit()
    assert not member.broker.of(m.Release)


async def test_nothing_is_committed_twice_nor_behind_the_end(broker: FakeBroker) -> None:
    async with await client_of(broker) as client:
        async with reader(client, 0.001) as stream:
            member = Member(broker, stream)
            await member.read(2)
            await broker.received(m.Commit)
            for _ in range(5):
                await stream.lag()
            assert len(broker.of(m.Commit)) == 1
        assert committing() == []


async def test_without_automatic_commits_a_partition_just_goes(broker: FakeBroker) -> None:
    async with await client_of(broker) as client, reader(client, None) as stream:
        member = Member(broker, stream)
        await member.read(2)
        await member.revoke(0)
        await member.read(1)
        await broker.received(m.Release)
    assert not broker.of(m.Commit)


async def test_release_is_not_owed_to_a_lost_connection(
    member: Member, caplog: pytest.LogCaptureFixture
) -> None:
    await member.read(2)
    member.broker.react(m.Commit, Reaction.CUT)
    await member.revoke(0)
    await member.read(1)
    await member.broker.received(m.Subscribe, 2)
    await member.read(3)
    assert not member.broker.of(m.Release)
    assert "partition 0 was taken" in caplog.text


async def test_an_overloaded_broker_is_asked_again_before_a_partition_goes(member: Member) -> None:
    """Who gets it would else wait until the broker takes it, and be handed the records again."""
    await member.read(2)
    member.broker.react(m.Commit, STOPPING, STOPPING)
    await member.revoke(0)
    await member.read(1)
    async with asyncio.timeout(LONG_S):
        assert await member.broker.received(m.Release) == [m.Release(1, 0, 1)]
    assert member.cursor(0) == 2
    assert len(member.broker.of(m.Commit)) == 3


async def test_an_overloaded_broker_is_asked_no_more_when_it_takes_the_partition(
    member: Member, caplog: pytest.LogCaptureFixture
) -> None:
    await member.read(2)
    member.broker.react(m.Commit, *[STOPPING] * 20)
    await member.revoke(0, deadline_ms=300)
    await member.read(1)
    async with asyncio.timeout(LONG_S):
        while "partition 0 was taken" not in caplog.text:
            await member.stream.lag()
    assert len(member.broker.of(m.Commit)) < 10
    assert not member.broker.of(m.Release)


# Commits that fail


async def test_commit_is_repeated_at_the_next_broker(member: Member) -> None:
    await member.read(3)
    member.broker.react(m.Commit, STOPPING)
    await member.stream.commit()
    assert member.cursor(0) == 3


async def test_fenced_commit_is_told_and_the_partition_is_gone(member: Member) -> None:
    await member.read(2)
    member.broker.react(m.Commit, FENCED)
    with pytest.raises(tapemq.Fenced, match="another member"):
        await member.stream.commit()
    assert member.stream.position == {1: 0}
    await member.read(1)
    assert member.seen[-1] == (1, 0)


async def test_commit_of_what_went_to_somebody_else_meanwhile_is_no_success(
    member: Member,
) -> None:
    await member.read(3)
    member.broker.react(m.Commit, Reaction.IGNORE)
    committing = asyncio.create_task(member.stream.commit())
    await member.broker.received(m.Commit)
    intake = member.stream._intake
    intake.forget(intake.assignments[0])
    await member.broker.cut()
    with pytest.raises(tapemq.Fenced, match="partition 0 was taken before offset 3"):
        await committing


async def test_commit_of_a_record_in_hand_whose_partition_was_given_up_is_no_success(
    member: Member,
) -> None:
    await member.read(2)
    await member.revoke(0, deadline_ms=1)
    await member.broker.received(m.Release)
    with pytest.raises(tapemq.Fenced, match="partition 0 went to another member"):
        await member.stream.commit()
    assert member.cursor(0) == 1
    await member.stream.commit()  # it was told, once
    await member.read(1)
    assert member.seen[-1] == (1, 0)
    await member.stream.commit()
    assert member.cursor(1) == 1


async def test_commit_after_a_partition_went_with_what_was_never_committed_is_no_success(
    broker: FakeBroker,
) -> None:
    async with await client_of(broker) as client, reader(client, None) as stream:
        member = Member(broker, stream)
        await member.read(2)
        await member.revoke(0)
        await member.read(1)
        await broker.received(m.Release)
        with pytest.raises(tapemq.Fenced, match="partition 0 went to another member"):
            await stream.commit()
        assert (member.cursor(0), member.cursor(1)) == (0, 1)


async def test_commit_that_was_asked_for_before_the_partition_went_is_a_success(
    broker: FakeBroker,
) -> None:
    """A partition just goes then, without waiting for the answer that is on its way."""
    async with await client_of(broker) as client, reader(client, None) as stream:
        member = Member(broker, stream)
        await member.read(2)
        broker.react(m.Commit, Reaction.HOLD)
        committing = asyncio.create_task(stream.commit())
        await broker.received(m.Commit)
        await member.revoke(0)
        await broker.received(m.Release)
        broker.release()
        await committing
        assert member.cursor(0) == 2
        await member.read(1)
        await stream.commit()


async def test_what_is_committed_as_time_goes_by_says_nothing_of_a_record_before_that_in_hand(
    member: Member,
) -> None:
    """It was logged; whoever goes on does not ask."""
    await member.read(2)
    await member.revoke(0, deadline_ms=1)
    await member.broker.received(m.Release)
    await member.read(1)
    await member.stream.commit()
    assert member.cursor(1) == 1


async def test_commit_of_what_came_back_is_a_success(member: Member) -> None:
    await member.read(2)
    await member.revoke(0, deadline_ms=1)
    await member.broker.received(m.Release)
    await member.assign(0, 2, 1)
    await member.stream.commit()
    assert member.stream.position[0] == 1


async def test_fenced_commit_on_the_way_is_logged(
    broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    async with await client_of(broker) as client, reader(client, 0.005) as stream:
        member = Member(broker, stream)
        broker.react(m.Commit, FENCED)
        await member.read(2)
        await broker.received(m.Commit)
        await stream.lag()
        assert stream.position == {1: 0}
        assert "t is not committed yet: another member has it" in caplog.text


async def test_commit_that_gets_no_answer_is_told(broker: FakeBroker) -> None:
    broker.react(m.Commit, *[Reaction.IGNORE] * 10)
    async with (
        await client_of(broker, timeout=SENT_BY_THEN_S) as client,
        reader(client, None) as stream,
    ):
        member = Member(broker, stream)
        await member.read(1)
        with pytest.raises(tapemq.TimeoutError, match=r"t: not committed within 0\.5 s"):
            await stream.commit()


async def test_commit_of_a_stream_that_was_closed_says_so(broker: FakeBroker) -> None:
    async with await client_of(broker) as client:
        stream = await reader(client, None).__aenter__()
        await Member(broker, stream).read(3)
        await client.close()
        with pytest.raises(tapemq.Closed, match="the client was closed"):
            await stream.commit()


async def test_leaving_by_an_exception_does_not_wait_for_a_lost_broker(
    broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "tapemq.client")

    async def work(client: tapemq.Client) -> None:
        async with reader(client) as stream:
            await Member(broker, stream).read(3)
            broker.react(m.Commit, Reaction.CUT)
            raise ZeroDivisionError

    async with await client_of(broker) as client:
        with pytest.raises(ZeroDivisionError):
            await work(client)
    assert "t is not committed yet" in caplog.text
