import time
from collections.abc import Iterator
from typing import Any

import pytest

import tapemq
from tapemq import sync
from tapemq.batch import Columns, encode_body
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.blocking import LONG_S, BrokerThread, in_thread, outcome
from tests.support.fake_broker import Reaction
from tests.support.sdk import SENT_BY_THEN_S

STOPPING = m.Failure(wire.OVERLOADED.code, "the broker is stopping")
FENCED = m.Failure(wire.FENCED.code, "another member has it")
LONG_MS = 60_000


class Member:
    """A stream on two partitions of three records each, and the broker that may revoke them."""

    def __init__(self, thread: BrokerThread, stream: sync.Stream) -> None:
        self.thread = thread
        self.stream = stream
        self.seen: list[tuple[int, int]] = []
        self.records: Iterator[tapemq.Record] = iter(stream)

    def read(self, count: int) -> None:
        """Take records, the last of which stays in hand."""
        for _ in range(count):
            record = next(self.records)
            self.seen.append((record.partition, record.offset))

    def revoke(self, partition: int, deadline_ms: int = LONG_MS) -> None:
        self.thread.push(m.Revoke(1, partition, 1, deadline_ms))
        self.stream.lag()  # an answer behind it: it has arrived

    def assign(self, partition: int, generation: int, offset: int) -> None:
        def work() -> None:
            broker = self.thread.broker
            broker.topics["t"].partitions[partition].groups["g"].generation = generation
            broker.session.subscriptions[1].generation[partition] = generation
            broker.assign(broker.session, 1, partition, offset)
            broker.session.deliver()

        self.thread.call(work)
        self.stream.lag()

    def cursor(self, partition: int) -> int:
        return self.thread.broker.topics["t"].partitions[partition].groups["g"].cursor

    def sent(self, *kinds: type) -> list[Any]:
        self.stream.lag()
        return [request for request in self.thread.broker.requests if type(request) in kinds]


@pytest.fixture
def thread() -> Iterator[BrokerThread]:
    with BrokerThread() as thread:

        def fill() -> None:
            for partition in thread.broker.create("t", partitions=2).partitions:
                partition.append(encode_body(Columns([b"0", b"1", b"2"])), 3)

        thread.call(fill)
        yield thread


def reader(client: sync.Client, commit_interval: float | None = 1000.0) -> sync.Stream:
    return client.stream("t", group="g", start="earliest", commit_interval=commit_interval)


@pytest.fixture
def member(thread: BrokerThread) -> Iterator[Member]:
    with thread.connect() as client, reader(client) as stream:
        stream.lag()
        yield Member(thread, stream)


# Handing over


def test_what_was_not_given_up_when_the_stream_was_left_is_not_given_up_later(
    thread: BrokerThread,
) -> None:
    with thread.connect() as client:
        stream = reader(client)
        with stream:
            member = Member(thread, stream)
            member.read(2)
            member.revoke(0)
            stream.close()
        with stream:
            subscription = thread.received(m.Subscribe, 2)[-1].subscription
            thread.push(m.Revoke(subscription, 1, 2, LONG_MS))
            assert thread.received(m.Release) == [m.Release(subscription, 1, 2)]
        assert not member.sent(m.Commit)


def test_untouched_partition_is_released_at_once(member: Member) -> None:
    member.read(1)
    member.revoke(1)
    assert member.thread.received(m.Release) == [m.Release(1, 1, 1)]
    assert not member.sent(m.Commit)
    member.read(2)
    assert member.seen == [(0, 0), (0, 1), (0, 2)]
    assert member.stream.position == {0: 3}


def test_partition_that_is_asked_for_while_the_stream_is_entered_is_released(
    thread: BrokerThread,
) -> None:
    """As when several members of a group are begun at the same time."""
    thread.react(m.Subscribe, Reaction.HOLD)
    with thread.connect() as client:
        stream = reader(client)
        entering = in_thread(stream.__enter__)
        thread.received(m.Subscribe)
        thread.push(m.Revoke(1, 1, 1, LONG_MS))
        thread.release()
        with outcome(entering):
            assert thread.received(m.Release) == [m.Release(1, 1, 1)]


def test_record_in_hand_is_finished_and_committed_first(member: Member) -> None:
    member.read(2)
    member.revoke(0)
    assert not member.sent(m.Release)
    member.read(1)
    assert member.seen == [(0, 0), (0, 1), (1, 0)]
    member.thread.received(m.Release)
    assert member.cursor(0) == 2
    assert [type(request) for request in member.sent(m.Commit, m.Release)] == [m.Commit, m.Release]


def test_record_that_takes_too_long_is_left_to_the_next_owner(
    member: Member, caplog: pytest.LogCaptureFixture
) -> None:
    member.read(2)
    member.revoke(0, deadline_ms=10)
    member.thread.received(m.Release)
    assert member.cursor(0) == 1
    assert "record in hand" in caplog.text


def test_partition_that_comes_back_starts_at_its_commit(member: Member) -> None:
    member.read(2)
    member.revoke(0)
    member.read(1)
    member.thread.received(m.Release)
    member.assign(0, generation=7, offset=1)
    member.read(4)
    assert member.seen[2:] == [(1, 0), (1, 1), (1, 2), (0, 1), (0, 2)]


def test_partition_assigned_anew_is_not_released(member: Member) -> None:
    member.read(2)
    member.revoke(0)
    member.assign(0, generation=2, offset=0)
    member.read(4)
    assert sorted(member.seen) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    member.stream.commit()
    assert not member.sent(m.Release)


def test_without_automatic_commits_a_partition_just_goes(thread: BrokerThread) -> None:
    with thread.connect() as client, reader(client, None) as stream:
        stream.lag()
        member = Member(thread, stream)
        member.read(2)
        member.revoke(0)
        member.read(1)
        thread.received(m.Release)
        assert not member.sent(m.Commit)


def test_release_is_not_owed_to_a_lost_connection(
    member: Member, caplog: pytest.LogCaptureFixture
) -> None:
    member.read(2)
    member.thread.react(m.Commit, Reaction.CUT)
    member.revoke(0)
    member.read(1)
    member.thread.received(m.Subscribe, 2)
    member.read(3)
    assert not member.sent(m.Release)
    assert "partition 0 was taken" in caplog.text


# Commits that fail


def test_fenced_commit_is_told_and_the_partition_is_gone(member: Member) -> None:
    member.read(2)
    member.thread.react(m.Commit, FENCED)
    with pytest.raises(tapemq.Fenced, match="another member"):
        member.stream.commit()
    assert member.stream.position == {1: 0}
    member.read(1)
    assert member.seen[-1] == (1, 0)


def test_commit_of_what_went_to_somebody_else_meanwhile_is_no_success(member: Member) -> None:
    member.read(3)
    member.thread.react(m.Commit, Reaction.IGNORE)
    committing = in_thread(member.stream.commit)
    member.thread.received(m.Commit)
    with member.stream._shared.lock:
        intake = member.stream._intake
        intake.forget(intake.assignments[0])
    member.thread.cut()
    with pytest.raises(tapemq.Fenced, match="partition 0 was taken before offset 3"):
        outcome(committing)


def test_commit_of_a_record_in_hand_whose_partition_was_given_up_is_no_success(
    member: Member,
) -> None:
    member.read(2)
    member.revoke(0, deadline_ms=1)
    member.thread.received(m.Release)
    with pytest.raises(tapemq.Fenced, match="partition 0 went to another member"):
        member.stream.commit()
    assert member.cursor(0) == 1
    member.stream.commit()  # it was told, once
    member.read(1)
    assert member.seen[-1] == (1, 0)
    member.stream.commit()
    assert member.cursor(1) == 1


def test_commit_that_was_asked_for_before_the_partition_went_is_a_success(
    thread: BrokerThread,
) -> None:
    """A partition just goes then, without waiting for the answer that is on its way."""
    with thread.connect() as client, reader(client, None) as stream:
        stream.lag()
        member = Member(thread, stream)
        member.read(2)
        thread.react(m.Commit, Reaction.HOLD)
        committing = in_thread(stream.commit)
        thread.received(m.Commit)
        member.revoke(0)
        thread.received(m.Release)
        thread.release()
        outcome(committing)
        assert member.cursor(0) == 2


def test_what_is_committed_as_time_goes_by_says_nothing_of_a_record_before_that_in_hand(
    member: Member,
) -> None:
    """It was logged; whoever goes on does not ask."""
    member.read(2)
    member.revoke(0, deadline_ms=1)
    member.thread.received(m.Release)
    member.read(1)
    member.stream.commit()
    assert member.cursor(1) == 1


def test_fenced_commit_on_the_way_is_logged(
    thread: BrokerThread, caplog: pytest.LogCaptureFixture
) -> None:
    with thread.connect() as client, reader(client, 0.005) as stream:
        stream.lag()
        thread.react(m.Commit, FENCED)
        member = Member(thread, stream)
        member.read(2)
        thread.received(m.Commit)
        stream.lag()
        assert stream.position == {1: 0}
        assert "t is not committed yet: another member has it" in caplog.text


def test_an_overloaded_broker_is_asked_again_before_a_partition_goes(member: Member) -> None:
    """Who gets it would else wait until the broker takes it, and be handed the records again."""
    member.read(2)
    member.thread.react(m.Commit, STOPPING, STOPPING)
    member.revoke(0)
    member.read(1)
    until = time.monotonic() + LONG_S
    while not member.sent(m.Release):
        assert time.monotonic() < until
    assert member.cursor(0) == 2
    assert len(member.sent(m.Commit)) == 3


def test_commit_is_repeated_at_the_next_broker(member: Member) -> None:
    member.read(3)
    member.thread.react(m.Commit, STOPPING)
    member.stream.commit()
    assert member.cursor(0) == 3


def test_commit_waits_for_the_connection(member: Member) -> None:
    member.read(3)
    member.thread.react(m.Commit, Reaction.CUT, Reaction.LOSE)
    member.stream.commit()
    assert member.cursor(0) == 3


def test_commit_that_gets_no_answer_is_told(thread: BrokerThread) -> None:
    thread.react(m.Commit, *[Reaction.IGNORE] * 10)
    with thread.connect(timeout=SENT_BY_THEN_S) as client, reader(client, None) as stream:
        Member(thread, stream).read(1)
        with pytest.raises(tapemq.TimeoutError, match=r"t: not committed within 0\.5 s"):
            stream.commit()


def test_leaving_by_an_exception_does_not_wait_for_a_lost_broker(
    thread: BrokerThread, caplog: pytest.LogCaptureFixture
) -> None:
    def work(client: sync.Client) -> None:
        with reader(client) as stream:
            Member(thread, stream).read(3)
            thread.react(m.Commit, Reaction.CUT)
            raise ZeroDivisionError

    with thread.connect() as client, pytest.raises(ZeroDivisionError):
        work(client)
    assert "t is not committed yet" in caplog.text
