import pytest

import tapemq
from tapemq.streams import subscriber as subscriber_module
from tapemq.streams.start import WireStart
from tapemq.streams.subscriber import Subscriber
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.reading import fill
from tests.support.sdk import Listener, link_to
from tests.support.subscribing import options, subscriber_to

pytestmark = pytest.mark.both_loops


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
