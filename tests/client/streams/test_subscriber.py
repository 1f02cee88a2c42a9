import asyncio

import pytest

import tapemq
from tapemq.network.link import Link
from tapemq.streams import subscriber as subscriber_module
from tapemq.streams.credit import Grant
from tapemq.streams.plan import StreamOptions
from tapemq.streams.start import WireStart
from tapemq.streams.subscriber import Subscriber
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.reading import fill
from tests.support.sdk import Listener, link_to

pytestmark = pytest.mark.both_loops


def options(timeout_s: float = 30.0, group: str = "g") -> StreamOptions:
    return StreamOptions(
        topic="t",
        group=group,
        member="me",
        start=WireStart("earliest"),
        partitions=(),
        prefetch=Grant(100, 100_000),
        hold=False,
        commit_interval_s=None,
        timeout_s=timeout_s,
    )


async def subscriber_to(broker: FakeBroker, timeout_s: float = 30.0) -> tuple[Link, Subscriber]:
    link = link_to(broker)
    await link.open(30.0)
    subscriber = Subscriber(link, options(timeout_s))
    await subscriber.open()
    return link, subscriber


async def test_topic_is_created_and_subscribed_to() -> None:
    async with FakeBroker() as broker:
        link, subscriber = await subscriber_to(broker)
        assert subscriber.topic_id == broker.topics["t"].topic_id
        assert broker.of(m.Subscribe)[0].member == "me"
        while 0 not in subscriber.intake.assignments:
            await subscriber.change()
        await subscriber.leave()
        assert broker.of(m.Unsubscribe) == [m.Unsubscribe(1)]
        subscriber.close()
        await link.close()


async def test_broker_that_does_not_answer_is_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FakeBroker() as broker:
        link, subscriber = await subscriber_to(broker, timeout_s=0.05)
        broker.react(m.Subscribe, Reaction.IGNORE)
        await broker.cut()
        await broker.received(m.Subscribe, 3)
        assert "no answer: cannot read t; asking again" in caplog.text
        subscriber.close()
        await link.close()


async def test_subscription_that_was_not_answered_in_time_is_given_up() -> None:
    async with FakeBroker() as broker:
        link = link_to(broker)
        await link.open(30.0)
        broker.react(m.Subscribe, Reaction.IGNORE)
        with pytest.raises(tapemq.ConnectionLost):
            await Subscriber(link, options(timeout_s=0.05)).open()
        assert await broker.received(m.Unsubscribe) == [m.Unsubscribe(1)]
        await link.close()


async def test_deadline_that_passed_at_the_broker_is_no_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FakeBroker() as broker:
        link, subscriber = await subscriber_to(broker)
        broker.react(m.Subscribe, m.Failure(wire.DEADLINE_EXCEEDED.code, "too late"))
        await broker.cut()
        await broker.received(m.Subscribe, 3)
        assert subscriber.failure is None
        assert "no answer" in caplog.text
        subscriber.close()
        await link.close()


async def test_refusal_that_may_pass_is_logged_and_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FakeBroker() as broker:
        link, subscriber = await subscriber_to(broker)
        broker.react(m.Subscribe, m.Failure(wire.OVERLOADED.code, "busy"))
        await broker.cut()
        await broker.received(m.Subscribe, 3)
        assert "cannot read t yet: busy" in caplog.text
        subscriber.close()
        await link.close()


async def test_refusal_that_will_not_pass_ends_the_stream(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FakeBroker() as broker:
        link, subscriber = await subscriber_to(broker)
        broker.react(m.Subscribe, m.Failure(wire.FORBIDDEN.code, "not you"))
        await broker.cut()
        while subscriber.failure is None:
            await subscriber.change()
        assert isinstance(subscriber.failure, tapemq.Forbidden)
        assert "cannot read t any more: not you" in caplog.text
        await link.close()


async def test_subscriber_goes_where_it_is_sent() -> None:
    async with FakeBroker() as broker, FakeBroker() as other:
        other.topics = broker.topics
        there = f"127.0.0.1:{other.port}"
        broker.react(m.Subscribe, m.Failure(wire.NOT_HERE.code, "moved", address=there))
        link, subscriber = await subscriber_to(broker)
        assert len(other.of(m.Subscribe)) == 1
        subscriber.close()
        await link.close()


async def test_leaving_does_not_wait_for_a_silent_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber_module, "_LEAVE_S", 0.05)
    async with FakeBroker() as broker:
        link, subscriber = await subscriber_to(broker)
        broker.react(m.Unsubscribe, Reaction.IGNORE)
        await subscriber.leave()
        subscriber.close()
        await link.close()


async def test_stream_ends_with_one_of_its_partitions() -> None:
    async with FakeBroker() as broker:
        link, subscriber = await subscriber_to(broker)
        while 0 not in subscriber.intake.assignments:
            await subscriber.change()
        for generation in (7, 1):  # an old one's, then this one's
            assert subscriber.failure is None
            broker.session.send(m.Detached(1, 0, generation, wire.FENCED.code, "taken"))
            await link.call(m.ListTopics(), 30.0)
        assert isinstance(subscriber.failure, tapemq.Fenced)
        await link.close()


async def test_closing_wakes_who_waits() -> None:
    async with FakeBroker() as broker:
        link, subscriber = await subscriber_to(broker)
        while 0 not in subscriber.intake.assignments:
            await subscriber.change()
        waiting = asyncio.ensure_future(subscriber.change())
        await asyncio.sleep(0)
        subscriber.close()
        await waiting
        assert isinstance(subscriber.failure, tapemq.Closed)
        await broker.cut()
        await broker.received(m.Hello, 2)
        assert len(broker.of(m.Subscribe)) == 1
        await link.close()


async def test_nothing_is_handed_out_while_cut_off() -> None:
    async with FakeBroker() as broker:
        fill(broker.create("t"), 3)
        link, subscriber = await subscriber_to(broker)
        await link.call(m.ListTopics(), 30.0)
        assert subscriber.intake.next_hand() is not None
        listener = Listener(link)
        broker.react(m.Hello, *[Reaction.CUT] * 1000)
        await broker.cut()
        await listener.sees("down")
        assert subscriber.intake.next_hand() is None  # they may be another member's now
        subscriber.close()
        await link.close()


async def test_a_reader_without_a_group_finds_new_partitions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriber_module, "_LOOK_S", 0.001)
    async with FakeBroker() as broker:
        link = link_to(broker)
        await link.open(30.0)
        latest = options(group="")._replace(start=WireStart("latest"))
        subscriber = Subscriber(link, latest)
        await subscriber.open()
        broker.topics["t"].grow(3)
        while set(subscriber.intake.assignments) != {0, 1, 2}:
            await subscriber.change()
        found = [(wish.partitions, wish.start) for wish in broker.of(m.Subscribe)]
        assert found == [([0], "latest"), ([1], "earliest"), ([2], "earliest")]
        subscriber.close()
        await link.close()
