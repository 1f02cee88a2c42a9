import asyncio

import pytest

import tapemq
from tapemq.connecting import connect_with
from tapemq.network.dial import dial
from tapemq.testing.relay import Relay
from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker
from tests.support.sdk import QuickClock


async def relay_to(broker: FakeBroker) -> Relay:
    relay = Relay()
    relay.upstream_port = broker.port
    await relay.open()
    return relay


async def client_through(relay: Relay) -> tapemq.Client:
    url = f"tapemq://127.0.0.1:{relay.port}"
    return await connect_with(url, clock=QuickClock(), dial=dial)


async def test_messages_pass_as_they_are() -> None:
    async with FakeBroker() as broker:
        relay = await relay_to(broker)
        async with await client_through(relay) as client:
            value = bytes(700_000)
            await client.publish("t", value, key="k")
            async with client.stream("t", start="earliest") as stream:
                async for record in stream:
                    assert (record.value, record.key) == (value, b"k")
                    break
        await broker.received(m.Bye)
        await relay.close()


@pytest.mark.parametrize("kind", [m.Publish, m.Receipt])
async def test_one_message_is_lost_with_its_connection(kind: type) -> None:
    async with FakeBroker() as broker:
        relay = await relay_to(broker)
        async with await client_through(relay) as client:
            relay.lose(kind)
            receipt = await client.publish("t", b"0")
            assert receipt.duplicate == (kind is m.Receipt)
            assert len(broker.of(m.Hello)) == 2
            await client.publish("t", b"1")
            assert len(broker.of(m.Hello)) == 2
        await relay.close()


async def test_broker_comes_and_goes_behind_it() -> None:
    async with FakeBroker() as first, FakeBroker() as second:
        relay = await relay_to(first)
        async with await client_through(relay) as client:
            relay.upstream_port = None
            relay.cut()
            asking = asyncio.ensure_future(client.topics())
            await asyncio.sleep(0)
            relay.upstream_port = second.port
            assert await asking == []
            assert len(second.of(m.Hello)) == 1
        await relay.close()
