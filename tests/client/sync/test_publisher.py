"""Opening and routing again; the rest is in publishing/test_router.py."""

from typing import Any

import pytest

from tapemq import sync
from tapemq.errors import TopicNotFound
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.blocking import BrokerThread

STALE = m.Failure(wire.STALE_METADATA.code, "there was a change")


def test_topic_that_was_made_anew_is_found(thread: BrokerThread, client: sync.Client) -> None:
    client.publish("t", b"0")
    thread.call(lambda: thread.broker.create("t"))
    receipt = client.publish("t", b"1")
    assert receipt.offset == 0
    assert thread.stored() == [b"1"]


def test_looking_up_survives_refusals_and_losses(thread: BrokerThread, client: sync.Client) -> None:
    client.publish("t", b"0")
    thread.react(m.Publish, STALE)
    busy = m.Failure(wire.OVERLOADED.code, "busy", retry_after_ms=1)
    thread.react(m.DescribeTopic, busy)
    assert client.publish("t", b"1").offset == 1


def test_topic_that_is_gone_fails_the_records(thread: BrokerThread, client: sync.Client) -> None:
    client.publish("t", b"0")

    def forget() -> Any:
        thread.broker.may_create = False
        return thread.broker.topics.pop("t")

    thread.call(forget)
    with pytest.raises(TopicNotFound):
        client.publish("t", b"1")
    with pytest.raises(TopicNotFound):
        client.publish("t", b"2")
    thread.call(thread.broker.create, "t")
    assert client.publish("t", b"3").offset == 0
