"""Topics that are full, with publishers under way."""

import asyncio
from collections.abc import AsyncIterator

import pytest

import tapemq
from tapemq_broker.server.server import Server
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.running_server import running_server

pytestmark = pytest.mark.both_loops

LIMIT = 20


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running_server() as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[tapemq.Client]:
    async with await connect(server) as client:
        yield client


async def connect(server: Server) -> tapemq.Client:
    return await tapemq.connect(f"tapemq://127.0.0.1:{server.port}")


async def publish(client: tapemq.Client, first: int, count: int) -> None:
    for number in range(first, first + count):
        await client.publish("t", b"%d" % number, timeout=60.0)


async def unsettled(client: tapemq.Client) -> int:
    (part,) = (await client.describe_queue("t", "g")).partitions
    return part.ready + part.leased + part.retrying


async def test_publishers_wait_and_everything_comes_once_and_in_order(
    server: Server, client: tapemq.Client
) -> None:
    await client.create_topic("t", max_records=LIMIT)
    seen: list[int] = []
    async with client.queue("t", group="g", prefetch=7) as queue, await connect(server) as other:
        publishers = asyncio.gather(publish(client, 0, 100), publish(other, 1000, 100))
        async for message in queue:
            assert await unsettled(client) <= LIMIT
            seen.append(int(message.value or b""))
            await message.ack(confirm=True)
            if len(seen) == 200:
                break
        await publishers
    assert [number for number in seen if number < 1000] == list(range(100))
    assert [number for number in seen if number >= 1000] == list(range(1000, 1100))


async def test_who_waits_too_long_is_told_why(client: tapemq.Client) -> None:
    await client.create_topic("t", max_records=LIMIT)
    async with client.queue("t", group="g", prefetch=1):
        await publish(client, 0, LIMIT)
        with pytest.raises(tapemq.IndeterminateError, match=r"not settled by group 'g'"):
            await client.publish("t", b"x", timeout=1.0)
        assert await unsettled(client) == LIMIT


async def test_the_newest_are_kept_and_the_others_counted(
    server: Server, client: tapemq.Client
) -> None:
    await client.create_topic("t", max_records=LIMIT, overflow="drop_oldest")
    async with client.producer("t") as producer:
        for number in range(1000):
            await producer.send(b"%d" % number)
    part = await client.partition("t", 0)
    assert (part.first_offset, part.next_offset, part.dropped) == (980, 1000, 980)
    assert server._engine.core.records_dropped == 980
    async with client.queue("t", group="g", hold=False) as queue:
        message = await anext(aiter(queue))
        assert message.value == b"980"


async def test_bytes_limit_too_before_and_after_a_start() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server, await connect(server) as client:
        await client.create_topic("t", segment_bytes=100_000)
        async with client.producer("t") as producer:
            for _ in range(1000):
                await producer.send(b"x" * 1000)
        # Bytes that were there before are known roughly, as full segments are not read for it.
        await client.alter_topic("t", max_bytes=200_000, overflow="drop_oldest")
        await client.publish("t", b"x" * 1000)
        before = await client.partition("t", 0)
        assert 150 <= before.next_offset - before.first_offset <= 200
        await client.create_topic("full", max_bytes=5000)
        await client.publish("full", b"x" * 5000)
    async with running_server(disk) as server, await connect(server) as client:
        part = await client.partition("t", 0)
        assert part.next_offset == before.next_offset
        assert abs(part.first_offset - before.first_offset) <= 64
        with pytest.raises(tapemq.IndeterminateError, match="are in its log, max_bytes is 5000"):
            await client.publish("full", b"x", timeout=0.5)
        await client.alter_topic("full", max_bytes=10_000)
        await client.publish("full", b"x")
