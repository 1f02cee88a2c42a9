"""Queues: the SDK against a broker in another process, which is killed under its hands."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import tapemq
from tests.support.crash.forked_broker import ForkedBroker

pytestmark = pytest.mark.both_loops


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ForkedBroker]:
    broker = ForkedBroker(tmp_path / "data")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
async def client(broker: ForkedBroker) -> AsyncIterator[tapemq.Client]:
    async with await tapemq.connect(broker.url) as client:
        yield client


async def fill(client: tapemq.Client, count: int) -> None:
    async with client.producer("t") as producer:
        for number in range(count):
            await producer.send(b"%d" % number)


async def test_retries_dead_letters_and_redrive(client: tapemq.Client) -> None:
    await fill(client, 4)
    tried: list[tuple[int, int]] = []

    async def handle(message: tapemq.Message) -> None:
        tried.append((message.offset, message.attempt))
        if message.offset == 1:
            raise KeyError("total")
        if message.offset == 2:
            raise ValueError
        if message.offset == 3:
            await message.ack(confirm=True)

    async with client.queue("t", group="g", max_attempts=3, retry=[0.001]) as queue:
        running = asyncio.ensure_future(queue.run(handle, reject_on=ValueError))
        while (await client.describe_queue("t", "g")).dead < 2:
            pass
        running.cancel()
        await asyncio.wait([running])
    assert sorted(tried) == [(0, 1), (1, 1), (1, 2), (1, 3), (2, 1), (3, 1)]
    dead = await client.dead("t", "g")
    assert [one.offset for one in dead] == [1, 2]
    assert (dead[0].reason, dead[0].failures) == ("KeyError", 3)
    assert (await client.explain("t", "g")).state == "caught_up"
    assert await client.redrive("t", "g", reason="KeyError") == 1
    assert await client.discard("t", "g", everything=True) == 1
    async with client.queue("t", group="g") as queue:
        async for message in queue:
            assert (message.offset, message.attempt) == (1, 1)
            await message.ack(confirm=True)
            break
    assert (await client.describe_queue("t", "g")).partitions[0].ack_floor == 4


async def test_pause_and_resume(client: tapemq.Client) -> None:
    await fill(client, 2)
    async with client.queue("t", group="g", paused=True) as queue:
        assert (await client.explain("t", "g")).state == "paused"
        taking = asyncio.ensure_future(anext(aiter(queue)))
        await client.alter_queue("t", "g", paused=False)
        assert (await taking).offset == 0


async def test_confirmed_acks_are_final_when_the_broker_is_killed(
    broker: ForkedBroker, client: tapemq.Client
) -> None:
    count = 3000
    await fill(client, count)
    confirmed: set[int] = set()
    handled: set[int] = set()
    kills = 0

    async def handle(message: tapemq.Message) -> None:
        nonlocal kills
        assert message.offset not in confirmed
        handled.add(message.offset)
        if message.offset % 3 == 0:
            await message.ack(confirm=True)
            confirmed.add(message.offset)
        if len(handled) > 1000 * (kills + 1) and kills < 2:
            kills += 1
            broker.kill()
            broker.start()

    async with client.queue("t", group="g") as queue:
        running = asyncio.ensure_future(queue.run(handle, concurrency=20))
        while (await client.describe_queue("t", "g")).partitions[0].ack_floor < count:
            assert not running.done()
        queue.stop()
        await running
    assert handled == set(range(count))
    assert kills == 2
