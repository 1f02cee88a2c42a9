"""All connections: limits, and an end without anybody left."""

import asyncio

from tapemq.wire import messages as m
from tests.support.raw_client import RawClient
from tests.support.running_server import running_server


async def test_one_connection_too_many_hears_it() -> None:
    async with running_server(connections_max=1) as server:
        first = await RawClient.connect(server.port)
        second = RawClient(*await asyncio.open_connection("127.0.0.1", server.port))
        failure, _ = await second.push(m.Failure)
        assert failure.code == 6
        assert await second.at_end()
        await first.ask(m.Ping(), m.Pong)
        totals = server.status().totals
        assert (totals["connections_opened"], totals["connections_closed"]) == (2, 1)


async def test_a_stop_says_goodbye_to_everybody() -> None:
    async with running_server() as server:
        clients = [await RawClient.connect(server.port) for _ in range(3)]
        await server.stop(grace_s=5.0)
        for client in clients:
            failure, _ = await client.push_of(m.Failure)
            assert failure.code == 5
            assert await client.at_end()
