"""What a flush of a producer waits for."""

import asyncio

import pytest

from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.sdk import client_of

pytestmark = pytest.mark.both_loops


async def test_flush_waits_for_the_receipts() -> None:
    async with (
        FakeBroker() as broker,
        await client_of(broker) as client,
        client.producer("t", linger=100.0) as producer,
    ):
        await producer.send(b"0")
        broker.react(m.Publish, Reaction.HOLD)
        flushing = asyncio.ensure_future(producer.flush())
        await broker.received(m.Publish)
        assert not flushing.done()
        broker.release()
        await flushing
        assert broker.topics["t"].partitions[0].values == [b"0"]


async def test_flush_does_not_wait_for_what_is_sent_meanwhile() -> None:
    async with (
        FakeBroker() as broker,
        await client_of(broker) as client,
        client.producer("t") as producer,
    ):
        broker.react(m.Publish, Reaction.HOLD)
        await producer.send(b"0")
        flushing = asyncio.ensure_future(producer.flush())
        await broker.received(m.Publish)
        await producer.send(b"1")
        broker.release()
        broker.react(m.Publish, Reaction.HOLD)
        await flushing
        await broker.received(m.Publish, 2)
        broker.release()
