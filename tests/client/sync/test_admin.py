"""Each call once; what they do is in test_admin.py and test_inquiries.py beside this folder."""

from datetime import timedelta

import pytest

import tapemq
from tapemq import sync
from tapemq.wire import messages as m
from tests.support.blocking import BrokerThread
from tests.support.fake_broker import Reaction
from tests.support.reading import fill


def test_topics(client: sync.Client) -> None:
    made = client.create_topic("t", partitions=2, retention_bytes=5)
    assert made == tapemq.TopicInfo("t", 1, 2, 1, {"retention_bytes": 5})
    assert client.topic("t") == made
    with pytest.raises(tapemq.TopicExists):
        client.create_topic("t")
    assert client.alter_topic("t", partitions=3).partitions == 3
    assert client.topics() == ["t"]
    client.delete_topic("t")
    with pytest.raises(tapemq.TopicNotFound):
        client.topic("t")


def test_partitions(thread: BrokerThread, client: sync.Client) -> None:
    thread.call(lambda: fill(thread.broker.create("t", 70), 3, partition=1))
    assert client.partition("t", 1).next_offset == 3
    assert [info.next_offset for info in client.partitions("t")] == [0, 3, *[0] * 68]


def test_groups(thread: BrokerThread, client: sync.Client) -> None:
    thread.call(lambda: fill(thread.broker.create("t"), 3))
    client.seek_group("t", "g", 2)
    assert client.groups("t") == ["g"]
    assert client.group("t", "g").lag == 1
    client.alter_group("t", "g", hold=True)
    assert client.group("t", "g").hold
    client.delete_group("t", "g")
    with pytest.raises(tapemq.GroupNotFound):
        client.group("t", "g")


def test_broker(client: sync.Client) -> None:
    assert client.status().uptime == timedelta(seconds=1.5)


def test_lost_answer_is_not_guessed(thread: BrokerThread, client: sync.Client) -> None:
    thread.react(m.CreateTopic, Reaction.LOSE)
    with pytest.raises(tapemq.IndeterminateError, match="CreateTopic"):
        client.create_topic("t")
