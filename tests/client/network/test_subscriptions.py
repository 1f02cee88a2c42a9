"""Keeping subscriptions alive, as a stream does it; a queue does the same."""

import asyncio

import pytest

import tapemq
from tapemq.network import subscriptions
from tapemq.streams.subscriber import Subscriber
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.reading import fill
from tests.support.sdk import SENT_BY_THEN_S, link_to
from tests.support.subscribing import options, subscriber_to

pytestmark = pytest.mark.both_loops


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
        link, subscriber = await subscriber_to(broker)
        subscriber._timeout_s = 0.05
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
            await Subscriber(link, options(timeout_s=SENT_BY_THEN_S)).open()
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
    monkeypatch.setattr(subscriptions, "LEAVE_S", 0.05)
    async with FakeBroker() as broker:
        link, subscriber = await subscriber_to(broker)
        broker.react(m.Unsubscribe, Reaction.IGNORE)
        await subscriber.leave()
        subscriber.close()
        await link.close()


async def test_leaving_that_is_cancelled_has_ended_all_subscriptions() -> None:
    async with FakeBroker() as broker:
        broker.create("t", 3)
        link = link_to(broker)
        await link.open(30.0)
        subscriber = Subscriber(link, options(group=""))
        await subscriber.open()
        broker.react(m.Unsubscribe, Reaction.HOLD)
        leaving = asyncio.ensure_future(subscriber.leave())
        await broker.received(m.Unsubscribe)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await link.call(m.ListTopics(), 30.0)
        assert broker.of(m.Unsubscribe) == [m.Unsubscribe(number) for number in (1, 2, 3)]
        subscriber.close()
        await link.close()


async def test_opening_that_is_given_up_takes_no_subscription_from_another_reader() -> None:
    async with FakeBroker() as broker:
        fill(broker.create("t"), 3)
        link = link_to(broker)
        await link.open(30.0)
        busy = m.Failure(wire.OVERLOADED.code, "busy", retry_after_ms=1_000_000)
        broker.react(m.Subscribe, busy)
        opening = asyncio.ensure_future(Subscriber(link, options()).open())
        await broker.received(m.Subscribe)
        await link.call(m.ListTopics(), 30.0)  # an answer behind that refusal
        await broker.cut()
        other = Subscriber(link, options())
        await other.open()  # it has the same number, on another connection
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await link.call(m.ListTopics(), 30.0)
        assert broker.of(m.Unsubscribe) == []
        fill(broker.topics["t"], 3)
        await link.call(m.ListTopics(), 30.0)
        assert other.intake.next_hand() is not None
        other.close()
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


async def test_topic_that_is_deleted_while_a_reader_opens_is_not_waited_for() -> None:
    async with FakeBroker() as broker:
        gone = m.Failure(wire.STALE_METADATA.code, "it was deleted", retry_after_ms=1)
        broker.react(m.Subscribe, gone)
        link = link_to(broker)
        await link.open(30.0)
        opening = asyncio.create_task(Subscriber(link, options()).open())
        await broker.received(m.Subscribe)
        del broker.topics["t"]
        with pytest.raises(tapemq.TopicNotFound):
            await opening
        await link.close()
