"""Connections that have not said who they are yet."""

import asyncio

from tapemq.wire import messages as m
from tapemq.wire.errors import OVERLOADED
from tests.support.raw_client import RawClient
from tests.support.running_server import running_server


async def silent(port: int) -> RawClient:
    """A connection that says nothing."""
    return RawClient(*await asyncio.open_connection("127.0.0.1", port))


async def test_the_oldest_is_given_up_and_hears_why() -> None:
    async with running_server(handshakes_max=2) as server:
        working = await RawClient.connect(server.port)
        first, second, third = [await silent(server.port) for _ in range(3)]
        failure, _ = await first.push(m.Failure)
        assert (failure.code, failure.text) == (
            OVERLOADED.code,
            "more than 2 handshakes were not complete",
        )
        assert await first.at_end()
        for late in (second, third):  # they may still come to their end
            await late.ask(m.Hello([1], "late"), m.Welcome)
        await working.ask(m.Ping(), m.Pong)
        assert len(server._sessions.handshakes) == 0


async def test_who_comes_while_too_many_are_silent_is_served() -> None:
    async with running_server(handshakes_max=3, handshake_deadline_s=60) as server:
        crowd = [await silent(server.port) for _ in range(20)]
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        assert (await client.publish(topic, b"a")).base_offset == 0
        assert len(server._sessions.handshakes) == 2
        assert len(crowd) == 20


async def test_who_goes_is_counted_no_more() -> None:
    async with running_server(handshakes_max=2) as server:
        client = await RawClient.connect(server.port)
        for _ in range(10):
            (await silent(server.port)).close()
            while server.status().connections > 1:
                await client.ask(m.Ping(), m.Pong)
        assert len(server._sessions.handshakes) == 0
