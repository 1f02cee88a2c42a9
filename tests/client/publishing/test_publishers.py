"""Which publishers a client keeps, and that nothing is left of the others."""

import pytest

import tapemq
from tapemq.publishing import publishers
from tapemq.publishing.publishers import Publishers
from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker
from tests.support.sdk import client_of


class Publisher:
    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.failed = False
        self.idle = True
        self.closed = False

    def close(self, error: tapemq.Error) -> None:
        self.closed = True


def test_the_longest_unused_one_goes() -> None:
    kept = Publishers(Publisher, most=2)
    first, second = kept.of("a"), kept.of("b")
    assert kept.of("a") is first
    third = kept.of("c")
    assert list(kept) == [first, third]
    assert (first.closed, second.closed) == (False, True)


def test_those_at_work_stay_until_they_are_not() -> None:
    kept = Publishers(Publisher, most=2)
    busy, idle = kept.of("a"), kept.of("b")
    busy.idle = False
    kept.of("c")
    assert (busy.closed, idle.closed) == (False, True)
    busy.idle = True
    kept.of("d")
    assert [one.topic for one in kept] == ["c", "d"]


def test_those_at_work_hold_up_no_others() -> None:
    """Topics that are full, or cannot be written to, keep their records for as long as that is."""
    kept = Publishers(Publisher, most=6)
    for topic in "abcd":
        kept.of(topic).idle = False
    for number in range(20):
        kept.of(f"t{number}")
    topics = [one.topic for one in kept]
    assert len(topics) == 6
    assert set(topics) >= {*"abcd", "t19"}


def test_one_that_failed_is_made_anew() -> None:
    kept = Publishers(Publisher, most=2)
    kept.of("a").failed = True
    assert not kept.of("a").failed


async def test_who_publishes_to_ever_new_topics_keeps_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Topics for jobs or tenants come and go for years, and one client publishes to them."""
    monkeypatch.setattr(publishers.Publishers.__init__, "__defaults__", (3,))
    async with FakeBroker() as broker, await client_of(broker) as client:
        for number in range(9):
            assert (await client.publish(f"t{number}", b"x")).offset == 0
        assert len(list(client._publishers)) == 3
        assert len(client._link._listeners) == 3
        assert (await client.publish("t0", b"y")).offset == 1
        assert len(broker.of(m.OpenProducer)) == 10
