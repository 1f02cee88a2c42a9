import pytest

import tapemq
from tapemq import sync
from tapemq.sync import subscriber as subscriber_module
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.blocking import BrokerThread


def test_stream_ends_with_one_of_its_partitions(thread: BrokerThread, client: sync.Client) -> None:
    with client.stream("t") as stream:
        for generation in (7, 1):  # an old one's, then this one's
            assert stream.lag() == 0
            thread.push(m.Detached(1, 0, generation, wire.FENCED.code, "taken"))
        with pytest.raises(tapemq.Fenced):
            next(iter(stream))


def test_a_reader_without_a_group_finds_new_partitions(
    thread: BrokerThread, client: sync.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber_module, "_LOOK_S", 0.001)
    with client.stream("t") as stream:
        thread.call(lambda: thread.broker.topics["t"].grow(3))
        while set(stream.position) != {0, 1, 2}:
            pass  # it looks by itself
        wishes = thread.received(m.Subscribe, 3)
        found = [(wish.partitions, wish.start) for wish in wishes]
        assert found == [([0], "latest"), ([1], "earliest"), ([2], "earliest")]
