"""Producers of which the client is closed."""

import asyncio

import pytest

import tapemq
from tapemq.wire import messages as m
from tests.support.blocking import LONG_S
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.sdk import client_of


async def test_closing_the_client_ends_its_producers() -> None:
    async with FakeBroker() as broker:
        client = await client_of(broker)
        async with client.producer("t") as producer:
            await producer.send(b"0")
            await client.close()
            with pytest.raises(tapemq.Closed):
                await producer.send(b"1")


async def test_closing_the_client_waits_for_what_a_producer_was_handed() -> None:
    async with FakeBroker() as broker:
        client = await client_of(broker)
        broker.react(m.Publish, Reaction.HOLD)
        producer = await client.producer("t", linger=100.0).__aenter__()
        await producer.send(b"0")
        closing = asyncio.create_task(client.close())
        await broker.received(m.Publish)
        assert not closing.done()
        broker.release()
        await closing
        assert broker.topics["t"].partitions[0].values == [b"0"]


async def test_closing_the_client_does_not_wait_for_ever_for_a_producer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FakeBroker() as broker:
        client = await client_of(broker)
        broker.react(m.Publish, Reaction.IGNORE)
        producer = await client.producer("t").__aenter__()
        await producer.send(b"0")
        await client.close(timeout=0.05)
        assert "closing with unconfirmed publishes" in caplog.text


async def test_closing_the_client_is_over_when_a_producer_has_failed() -> None:
    async with FakeBroker() as broker:
        client = await client_of(broker)
        broker.react(m.Publish, Reaction.IGNORE)
        producer = await client.producer("t").__aenter__()
        await producer.send(b"0")
        closing = asyncio.create_task(client.close(timeout=LONG_S))
        await broker.received(m.Publish)
        producer.close(tapemq.Closed("as the test wants it"))
        await closing


async def test_closing_the_client_at_once_warns_of_nothing_that_is_confirmed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FakeBroker() as broker:
        client = await client_of(broker)
        await client.publish("t", b"0")
        producer = await client.producer("t").__aenter__()
        await producer.send(b"1")
        await producer.flush()
        await client.close(timeout=0)
        assert "unconfirmed" not in caplog.text


async def test_leaving_a_producer_of_a_closed_client_is_no_failure_if_all_is_confirmed() -> None:
    async with FakeBroker() as broker:
        client = await client_of(broker)
        async with client.producer("t") as producer:
            await producer.send(b"0")
            await client.close()
        assert broker.topics["t"].partitions[0].values == [b"0"]


async def send_and_close(
    client: tapemq.Client, timeout_s: float, error: Exception | None = None
) -> None:
    async with client.producer("t") as producer:
        await producer.send(b"0")
        await client.close(timeout=timeout_s)
        if error is not None:
            raise error


async def test_leaving_a_producer_of_a_closed_client_tells_of_what_is_not_confirmed() -> None:
    async with FakeBroker() as broker:
        client = await client_of(broker)
        broker.react(m.Publish, Reaction.IGNORE)
        with pytest.raises(tapemq.Closed):
            await send_and_close(client, 0.05)


async def test_error_in_the_block_of_a_closed_client_names_no_records_as_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FakeBroker() as broker:
        client = await client_of(broker)
        with pytest.raises(ZeroDivisionError):
            await send_and_close(client, LONG_S, ZeroDivisionError())
        assert "records were lost" not in caplog.text
