from collections.abc import AsyncIterator

import pytest

import tapemq
from tests.support.running_server import running_server

Place = tuple[int, int]


@pytest.fixture
async def client() -> AsyncIterator[tapemq.Client]:
    """Two partitions of four records with the keys 0, 1, 0, 1, all dead of r0 or r2."""
    async with (
        running_server() as server,
        await tapemq.connect(f"tapemq://127.0.0.1:{server.port}") as client,
    ):
        await client.create_topic("t", 2)
        for number in range(8):
            await client.publish("t", "v", key=str(number // 2 % 2), partition=number % 2)
        async with client.queue("t", group="g") as queue:
            for _ in range(8):
                message = await anext(aiter(queue))
                await message.reject(reason=f"r{message.offset // 2 * 2}", confirm=True)
        yield client


async def dead(client: tapemq.Client, **chosen: str | int) -> list[Place]:
    found = await client.dead("t", "g", **chosen)  # type: ignore[arg-type]
    return [(entry.partition, entry.offset) for entry in found]


async def test_they_are_listed_by_key(client: tapemq.Client) -> None:
    assert await dead(client, key="0") == [(0, 0), (0, 2), (1, 0), (1, 2)]
    assert await dead(client, key="0", reason="r2") == [(0, 2), (1, 2)]
    assert await dead(client, key="1", partition=1, limit=1) == [(1, 1)]
    assert await dead(client, key="none") == []
    assert len(await client.dead("t", "g", key=b"0", limit=3)) == 3


async def test_they_are_redriven_by_key(client: tapemq.Client) -> None:
    assert await client.redrive("t", "g", key="0", dry_run=True) == 4
    assert await client.redrive("t", "g", key="0", reason="r2", rate=1000) == 2
    assert await dead(client) == [(0, 0), (0, 1), (0, 3), (1, 0), (1, 1), (1, 3)]
    assert await client.redrive("t", "g", key="none") == 0


async def test_a_rate_is_shared_by_the_partitions(client: tapemq.Client) -> None:
    assert await client.redrive("t", "g", key="0", rate=2) == 4
    async with client.queue("t", group="g") as queue:
        first = [await anext(aiter(queue)) for _ in range(2)]
        assert [message.offset for message in first] == [0, 0]
        parts = (await client.describe_queue("t", "g")).partitions
        assert [part.retrying for part in parts] == [1, 1]


async def test_they_are_discarded_by_key(client: tapemq.Client) -> None:
    assert await client.discard("t", "g", key="1", partition=0) == 2
    assert len(await dead(client)) == 6


async def test_a_key_goes_with_a_reason_only(client: tapemq.Client) -> None:
    with pytest.raises(ValueError, match="a key goes with a reason"):
        await client.redrive("t", "g", key="0", everything=True)
    with pytest.raises(ValueError, match="a key goes with a reason"):
        await client.discard("t", "g", key="0", partition=0, offsets=[1])
