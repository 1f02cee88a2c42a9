"""Records that expire: queues pass over them and say so, streams read them."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

import tapemq
from tapemq_broker.server.server import Server
from tests.support.running_server import running_server

pytestmark = pytest.mark.both_loops

AT_ONCE = timedelta(microseconds=1)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running_server() as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[tapemq.Client]:
    async with await tapemq.connect(f"tapemq://127.0.0.1:{server.port}") as client:
        yield client


async def take(client: tapemq.Client, count: int, **settings: bool) -> list[bytes | None]:
    values = []
    async with client.queue("t", group="g", expire_dead=settings.get("expire_dead", False)) as q:
        async for message in q:
            values.append(message.value)
            await message.ack(confirm=True)
            if len(values) == count:
                break
    return values


async def publish_some(client: tapemq.Client) -> None:
    async with client.producer("t", compression="zlib") as producer:
        await producer.send(b"a" * 100)
        await producer.send(b"b" * 100, ttl=AT_ONCE)
        await producer.send(b"c" * 100, ttl=3600)
    await client.publish("t", b"d", ttl=AT_ONCE)
    await client.publish("t", b"e")


async def test_queues_pass_over_what_has_expired(server: Server, client: tapemq.Client) -> None:
    await publish_some(client)
    assert await take(client, 3) == [b"a" * 100, b"c" * 100, b"e"]
    info = await client.describe_queue("t", "g")
    assert [(part.expired, part.dead, part.acked) for part in info.partitions] == [(2, 0, 3)]
    assert server._sessions.counters.records_expired == 2


async def test_they_are_dead_if_the_group_says_so_and_can_live_again(client: tapemq.Client) -> None:
    await publish_some(client)
    await take(client, 3, expire_dead=True)
    dead = await client.dead("t", "g")
    assert [(one.offset, one.reason) for one in dead] == [(1, "expired"), (3, "expired")]
    assert await client.redrive("t", "g", everything=True) == 2
    assert await take(client, 2) == [b"b" * 100, b"d"]


async def test_streams_read_them_and_know_when_they_expire(client: tapemq.Client) -> None:
    await publish_some(client)
    async with client.stream("t", start="earliest") as stream:
        lifetimes = []
        async for record in stream:
            lifetimes.append(record.expires_at and record.expires_at - record.timestamp)
            if len(lifetimes) == 5:
                break
    assert lifetimes == [None, AT_ONCE, timedelta(hours=1), AT_ONCE, None]


async def test_a_delayed_record_lives_from_when_it_is_due(client: tapemq.Client) -> None:
    await client.publish("t", b"gone", delay=0.001, ttl=AT_ONCE)
    await client.publish("t", b"here", delay=0.001, ttl=3600)
    async with client.stream("t", start="earliest") as stream:
        records = [await anext(aiter(stream)) for _ in range(2)]
    lifetimes = {record.value: record.expires_at for record in records}
    living = next(record for record in records if record.value == b"here")
    assert lifetimes[b"here"] == living.timestamp + timedelta(hours=1)
    assert lifetimes[b"gone"] is not None
    assert await take(client, 1) == [b"here"]
