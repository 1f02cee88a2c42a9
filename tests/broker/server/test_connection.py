"""A connection whose client does not read: slowed, then cut; its neighbours are not."""

import asyncio

import pytest

from tapemq.wire import messages as m
from tests.support.raw_client import RawClient
from tests.support.running_server import running_server


@pytest.mark.both_loops
async def test_who_does_not_read_is_cut_and_others_go_on() -> None:
    async with running_server(outbound_high_bytes=1 << 16, write_stall_s=0.2) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        for _ in range(80):
            await client.publish(topic, b"x" * 500_000)
        idle = await RawClient.connect(server.port)
        await idle.subscribe(topic, credit_bytes=1 << 30)
        while server.status().connections == 2:
            await client.ask(m.Ping(), m.Pong)
        assert (await client.publish(topic, b"still there")).base_offset == 80


async def test_half_a_handshake_ends_at_its_deadline() -> None:
    async with running_server(handshake_deadline_s=0.05) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"\xf1TQ")
        assert b"no handshake" in await reader.read()
        writer.close()
