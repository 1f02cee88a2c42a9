from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice

import pytest

import tapemq
from tapemq import sync
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.blocking import BrokerThread, in_thread, interrupted_when, outcome
from tests.support.fake_broker import Reaction
from tests.support.reading import cursor, fill


class World:
    """A broker with a topic of ten records, and a client of it."""

    def __init__(self, thread: BrokerThread, client: sync.Client) -> None:
        self.thread = thread
        self.client = client
        self.topic = thread.broker.topics["t"]

    def reader(self, group: str | None = "g", **options: object) -> sync.Stream:
        options = {"start": "earliest", "commit_interval": 1000.0} | options
        return self.client.stream("t", group=group, **options)  # type: ignore[arg-type]

    def fill(self, *batches: int, partition: int = 0) -> None:
        self.thread.call(lambda: fill(self.topic, *batches, partition=partition))

    def cursor(self) -> int:
        return self.thread.call(cursor, self.thread.broker)


@pytest.fixture
def world(thread: BrokerThread, client: sync.Client) -> World:
    thread.call(lambda: fill(thread.broker.create("t"), 3, 3, 4))
    return World(thread, client)


def read(stream: sync.Stream, count: int) -> list[int]:
    """The offsets of the next records, the last of which stays in hand."""
    offsets: list[int] = []
    for record in stream:
        assert record.value == b"%d" % record.offset
        offsets.append(record.offset)
        if len(offsets) == count:
            break
    return offsets


# Reading


def test_records_come_in_order(world: World) -> None:
    with world.reader() as stream:
        assert read(stream, 10) == list(range(10))
        assert stream.position == {0: 10}
        assert stream.lag() == 0


def test_loop_can_be_left_and_entered_again(world: World) -> None:
    with world.reader() as stream:
        assert read(stream, 2) == [0, 1]
        assert read(stream, 4) == [2, 3, 4, 5]
        assert stream.lag() == 4


def test_records_that_come_later_are_waited_for(world: World) -> None:
    with world.reader(start="latest") as stream:
        reading = in_thread(read, stream, 1)
        world.client.publish("t", b"10")
        assert outcome(reading) == [10]


def test_reading_can_end_when_nothing_has_come_for_a_while(world: World) -> None:
    with world.reader(None) as stream:
        assert read(stream, 10) == list(range(10))
        assert list(stream._records(0.0)) == []


@pytest.mark.parametrize(
    ("start", "first"),
    [("earliest", 0), (4, 4), (datetime(2020, 1, 1, tzinfo=UTC), 0)],
)
def test_reading_starts_where_it_is_asked_to(world: World, start: tapemq.Start, first: int) -> None:
    with world.reader(group=None, start=start) as stream:
        assert read(stream, 1) == [first]


def test_batches_are_handed_out_whole_and_can_be_mixed(world: World) -> None:
    with world.reader() as stream:
        assert read(stream, 1) == [0]
        sizes = []
        for batch in stream.batches():
            sizes.append((batch.first_offset, len(batch)))
            if batch.next_offset == 6:
                break
        assert sizes == [(1, 2), (3, 3)]
        assert read(stream, 2) == [6, 7]


def test_all_partitions_are_read(world: World) -> None:
    world.thread.call(world.topic.grow, 3)
    world.fill(2, partition=1)
    world.fill(2, partition=2)
    for group in ("g", None):
        with world.reader(group) as stream:
            seen = {(record.partition, record.offset) for record in islice(stream, 14)}
            assert len(seen) == 14
            assert stream.position == {0: 10, 1: 2, 2: 2}


def test_no_more_is_asked_for_than_is_taken(world: World) -> None:
    with world.reader(prefetch_records=4, prefetch_bytes=100_000) as stream:
        world.client.topics()  # an answer behind all deliveries
        assert world.thread.broker.session.subscriptions[1].next == {0: 6}
        assert read(stream, 10) == list(range(10))
        world.thread.received(m.Credit, 3)


# Committing


def test_leaving_the_block_commits_what_was_handed_out(world: World) -> None:
    with world.reader() as stream:
        read(stream, 5)
        assert world.cursor() == 0
    assert world.cursor() == 5
    with world.reader() as stream:
        assert read(stream, 1) == [5]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_exception_leaves_the_record_in_hand_uncommitted(
    world: World, error: type[BaseException]
) -> None:
    def work() -> None:
        with world.reader() as stream:
            for record in stream:
                if record.offset == 4:
                    raise error

    with pytest.raises(error):
        work()
    assert world.cursor() == 4


def test_exception_leaves_the_batch_in_hand_uncommitted(world: World) -> None:
    def work() -> None:
        with world.reader() as stream:
            for batch in stream.batches():
                if batch.first_offset == 3:
                    raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert world.cursor() == 3


def test_commit_is_for_groups_and_takes_the_record_in_hand(world: World) -> None:
    with world.reader(None) as stream, pytest.raises(ValueError, match="without a group"):
        stream.commit()
    with world.reader(commit_interval=None) as stream:
        read(stream, 5)
        stream.commit()
        read(stream, 1)
    assert world.cursor() == 5


def test_explicit_commit_is_not_for_the_records_behind_it(world: World) -> None:
    def work() -> None:
        with world.reader() as stream:
            for record in stream:
                if record.offset == 0:
                    stream.commit()
                if record.offset == 2:
                    raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert world.cursor() == 2


def test_what_is_handled_is_committed_while_the_application_computes(world: World) -> None:
    with world.reader(commit_interval=0.005) as stream:
        read(stream, 5)
        world.thread.received(m.Commit)
        assert world.cursor() == 4


# Seeking


@pytest.mark.parametrize("group", ["g", None])
def test_reading_goes_on_where_it_is_sent_to(world: World, group: str | None) -> None:
    with world.reader(group) as stream:
        read(stream, 5)
        stream.seek(2)
        assert read(stream, 2) == [2, 3]
        stream.seek(8, partition=0)
        assert read(stream, 2) == [8, 9]
        with pytest.raises(tapemq.PartitionNotFound):
            stream.seek(0, partition=1)
        with pytest.raises(tapemq.OffsetOutOfRange):
            stream.seek(99)
        world.thread.cut()
        world.client.publish("t", b"10")
        assert read(stream, 1) == [10]


def goes_on_with_both_partitions(world: World, stream: sync.Stream) -> None:
    assert stream.position == {0: 10, 1: 2}
    world.client.publish("t", b"10", partition=0)
    world.client.publish("t", b"2", partition=1)
    seen = {(record.partition, record.offset) for record in islice(stream, 2)}
    assert seen == {(0, 10), (1, 2)}


def test_seek_that_one_partition_refuses_moves_none(world: World) -> None:
    world.thread.call(world.topic.grow, 2)
    world.fill(2, partition=1)
    with world.reader(None) as stream:
        list(islice(stream, 12))
        with pytest.raises(tapemq.OffsetOutOfRange):
            stream.seek(5)
        goes_on_with_both_partitions(world, stream)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("reaction", [Reaction.IGNORE, Reaction.HOLD])
def test_interrupted_seek_without_a_group_has_not_happened(
    world: World, reaction: Reaction
) -> None:
    world.thread.call(world.topic.grow, 2)
    world.fill(2, partition=1)
    with world.reader(None) as stream:
        list(islice(stream, 12))
        made = len(world.thread.received(m.Subscribe))
        world.thread.react(m.Subscribe, reaction)

        def is_seeking() -> bool:
            with world.client._shared.lock:
                return len(world.thread.broker.of(m.Subscribe)) > made

        with interrupted_when(is_seeking), pytest.raises(KeyboardInterrupt):
            stream.seek("earliest")
        goes_on_with_both_partitions(world, stream)


@pytest.mark.parametrize("group", ["g", None])
def test_seek_is_for_open_streams(world: World, group: str | None) -> None:
    stream = world.reader(group)
    with pytest.raises(tapemq.Closed, match="not open"):
        stream.seek(0)
    with stream:
        pass
    with pytest.raises(tapemq.Closed, match="is closed"):
        stream.seek(0)


# Losing the connection


@pytest.mark.parametrize("group", ["g", None])
@pytest.mark.parametrize("count", [1, 3, 4, 10])
def test_reading_goes_on_behind_the_last_record(
    world: World, group: str | None, count: int
) -> None:
    with world.reader(group) as stream:
        assert read(stream, count) == list(range(count))
        world.thread.cut()
        world.fill(2)
        assert read(stream, 12 - count) == list(range(count, 12))
    if group:
        assert world.cursor() == 12


@pytest.mark.parametrize("kind", [m.Subscribe, m.Commit, m.Credit, m.DescribeTopic])
@pytest.mark.parametrize("reaction", [Reaction.CUT, Reaction.LOSE])
def test_cut_at_any_point_loses_and_repeats_nothing(
    world: World, kind: type, reaction: Reaction
) -> None:
    world.fill(*[5] * 20)
    with world.reader(prefetch_records=16, commit_interval=0.001) as stream:
        offsets = read(stream, 3)
        world.thread.react(kind, *[reaction, Reaction.HANDLE] * 3)
        world.thread.cut()
        offsets += read(stream, 107)
        assert offsets == list(range(110))
    assert world.cursor() == 110


def test_first_subscription_survives_a_cut(world: World) -> None:
    world.thread.react(m.Subscribe, Reaction.CUT, Reaction.LOSE)
    with world.reader() as stream:
        assert read(stream, 3) == [0, 1, 2]


# What cannot go on


def test_deleted_topic_ends_the_stream(world: World) -> None:
    with world.reader(None) as stream:
        read(stream, 10)
        reading = in_thread(read, stream, 1)
        world.thread.push(m.Detached(1, 0, 0, wire.UNKNOWN_TOPIC.code, "it was deleted"))
        with pytest.raises(tapemq.TopicNotFound):
            outcome(reading)


def test_damage_is_told(world: World) -> None:
    def rot() -> None:
        stored = world.topic.partitions[0].batches[1]
        stored.data = stored.data[:-1] + b"\xff"

    world.thread.call(rot)
    with world.reader() as stream:
        assert read(stream, 3) == [0, 1, 2]
        for _ in range(2):
            with pytest.raises(tapemq.CorruptBatch, match="t"):
                read(stream, 1)
    assert world.cursor() == 3


def test_stream_is_read_in_its_block(world: World) -> None:
    stream = world.reader()
    with pytest.raises(tapemq.Closed, match="`with`"):
        read(stream, 1)
    with stream:
        records: Iterator[tapemq.Record] = iter(stream)
        next(records)
    with pytest.raises(tapemq.Closed, match="closed"):
        next(iter(stream))


def test_closing_the_client_ends_a_read_that_waits(world: World) -> None:
    with world.thread.connect() as other:
        stream = other.stream("t")
        with stream:
            reading = in_thread(read, stream, 1)
            other.close()
            with pytest.raises(tapemq.Closed, match="client"):
                outcome(reading)


@pytest.mark.usefixtures("interruptible")
def test_closing_that_is_interrupted_leaves_no_member_behind(world: World) -> None:
    stream = world.reader().__enter__()
    world.thread.react(m.Unsubscribe, Reaction.HOLD)

    def is_closing() -> bool:
        with world.client._shared.lock:
            return bool(world.thread.broker.of(m.Unsubscribe))

    with interrupted_when(is_closing), pytest.raises(KeyboardInterrupt):
        stream.close()
    with pytest.raises(tapemq.Closed):
        read(stream, 1)
    world.thread.cut()
    with world.reader():
        world.client.topics()  # an answer behind all that was asked for on this connection
        assert len(world.thread.received(m.Subscribe)) == 2


def test_block_of_a_stream_that_was_closed_is_left_without_a_commit(world: World) -> None:
    with world.reader() as stream:
        read(stream, 5)
        stream.close()
    assert world.cursor() == 0


def test_what_was_in_hand_comes_again_when_the_stream_is_entered_again(world: World) -> None:
    stream = world.reader()
    with suppress(KeyError), stream:
        read(stream, 3)
        raise KeyError
    assert world.cursor() == 2
    with stream:
        assert read(stream, 4) == [2, 3, 4, 5]
    assert world.cursor() == 6
