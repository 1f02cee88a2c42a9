import pytest

import tapemq
from tapemq import sync
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.blocking import BrokerThread, interrupted_when
from tests.support.fake_broker import Reaction
from tests.support.reading import fill
from tests.support.sdk import SENT_BY_THEN_S


@pytest.fixture(autouse=True)
def topic(thread: BrokerThread) -> None:
    thread.call(lambda: fill(thread.broker.create("t"), 3))


def first(client: sync.Client) -> int:
    with client.stream("t", start="earliest") as stream:
        return next(iter(stream)).offset


@pytest.mark.parametrize("kind", [wire.OVERLOADED, wire.DEADLINE_EXCEEDED], ids=str)
def test_broker_that_cannot_now_is_asked_again(
    thread: BrokerThread, client: sync.Client, kind: wire.ErrorKind
) -> None:
    thread.react(m.Subscribe, m.Failure(kind.code, "not now", retry_after_ms=1))
    assert first(client) == 0


def test_other_broker_is_gone_to(thread: BrokerThread, client: sync.Client) -> None:
    with BrokerThread() as other:

        def fill_other() -> None:
            other.broker._ids = 0
            fill(other.broker.create("t"), 3)

        other.call(fill_other)
        address = f"127.0.0.1:{other.broker.port}"
        thread.react(m.Subscribe, m.Failure(wire.NOT_HERE.code, "", address=address))
        assert first(client) == 0
        assert len(other.received(m.Subscribe)) == 1
        client.close()


def test_refusal_is_raised(thread: BrokerThread, client: sync.Client) -> None:
    thread.react(m.Subscribe, m.Failure(wire.STORAGE_FAILED.code, "damaged"))
    with pytest.raises(tapemq.StorageFailed, match="damaged"):
        first(client)


def test_opening_fails_in_time(thread: BrokerThread) -> None:
    with thread.connect(timeout=SENT_BY_THEN_S) as client:
        thread.react(m.Subscribe, *[Reaction.IGNORE] * 10)
        with pytest.raises(tapemq.ConnectionLost, match=r"no subscription to t within 0\.5 s"):
            first(client)


def test_answer_that_does_not_come_is_asked_for_again(thread: BrokerThread) -> None:
    with (
        thread.connect(timeout=2 * SENT_BY_THEN_S) as client,
        client.stream("t", group="g", start="earliest") as stream,
    ):
        thread.react(m.Subscribe, Reaction.IGNORE)
        thread.cut()
        thread.received(m.Subscribe, 3)
        assert next(iter(stream)).offset == 0


def test_topic_in_another_s_place_is_not_read(thread: BrokerThread, client: sync.Client) -> None:
    with client.stream("t") as stream:
        thread.call(thread.broker.create, "t")
        thread.cut()
        with pytest.raises(tapemq.TopicNotFound, match="another one created"):
            next(iter(stream))


def test_leaving_unsubscribes(thread: BrokerThread, client: sync.Client) -> None:
    with client.stream("t"):
        pass
    assert thread.received(m.Unsubscribe) == [m.Unsubscribe(1)]


@pytest.mark.usefixtures("interruptible")
def test_leaving_that_is_interrupted_has_ended_all_subscriptions(
    thread: BrokerThread, client: sync.Client
) -> None:
    thread.call(thread.broker.topics["t"].grow, 3)
    stream = client.stream("t").__enter__()
    thread.react(m.Unsubscribe, Reaction.HOLD)

    def is_leaving() -> bool:
        with client._shared.lock:
            return bool(thread.broker.of(m.Unsubscribe))

    with interrupted_when(is_leaving), pytest.raises(KeyboardInterrupt):
        stream._subscriber.leave()
    client.topics()
    gone = thread.call(lambda: thread.broker.of(m.Unsubscribe))
    assert gone == [m.Unsubscribe(number) for number in (1, 2, 3)]


def test_subscription_that_the_broker_ended_is_made_again(
    thread: BrokerThread, client: sync.Client
) -> None:
    with client.stream("t", start="earliest") as stream:
        thread.push(m.Detached(1, 0, 0, wire.OVERLOADED.code, "too many"))
        thread.received(m.Subscribe, 2)
        assert next(iter(stream)).offset == 0
