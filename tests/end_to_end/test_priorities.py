"""Priorities, from the SDK through a server to the workers and back."""

from collections.abc import AsyncIterator

import pytest

import tapemq
from tapemq_broker.server.server import Server
from tests.support.running_server import running_server

pytestmark = pytest.mark.both_loops


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running_server() as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[tapemq.Client]:
    async with await tapemq.connect(f"tapemq://127.0.0.1:{server.port}") as client:
        yield client


async def test_workers_get_the_highest_first_wherever_it_is(client: tapemq.Client) -> None:
    made = await client.create_topic("t", 2, priorities=3)
    assert (made.partitions, made.priorities) == (6, 3)
    async with client.producer("t") as producer:
        for number in range(60):
            await producer.send(b"%d" % (number % 3), key=str(number), priority=number % 3)
    for _ in range(10):
        await client.publish("t", b"0")
        await client.publish("t", b"2", priority=9)
    seen: list[bytes | None] = []
    async with client.queue("t", group="g", prefetch=1) as queue:
        async for message in queue:
            seen.append(message.value)
            if len(seen) == 80:
                await message.ack(confirm=True)
                break
            await message.ack()
    assert seen == [b"2"] * 30 + [b"1"] * 20 + [b"0"] * 30
    info = await client.describe_queue("t", "g")
    assert sum(part.acked for part in info.partitions) == 80


async def test_more_partitions_keep_keys_and_levels_apart(client: tapemq.Client) -> None:
    await client.create_topic("t", 1, priorities=2)
    assert (await client.publish("t", b"x", key="a", priority=1)).partition == 1
    assert (await client.alter_topic("t", partitions=3)).partitions == 6
    with pytest.raises(tapemq.RequestRefused, match="chosen when a topic is made"):
        await client.alter_topic("t", priorities=3)
    values: set[bytes | None] = set()
    async with client.producer("t") as producer:
        for key in ("a", "b", "c", "d", "e", "f"):
            await producer.send(key, key=key, priority=1)
    async with client.stream("t", start="earliest", partitions=[1, 3, 5]) as stream:
        async for record in stream:
            values.add(record.value)
            if len(values) == 7:
                break
    assert values == {b"a", b"b", b"c", b"d", b"e", b"f", b"x"}
