"""Against the real broker; what is chosen is in tests/client/queues."""

import asyncio

import pytest

from tapemq import sync
from tapemq.testing import Broker


def work(url: str) -> None:
    with sync.connect(url) as client:
        assert [dead.offset for dead in client.dead("t", "g", key="0")] == [0, 2, 4]
        assert [dead.offset for dead in client.dead("t", "g", key=b"0", limit=2)] == [0, 2]
        assert [dead.offset for dead in client.dead("t", "g", key="0", reason="r4")] == [4]
        assert client.dead("t", "g", key="none") == []
        with pytest.raises(ValueError, match="a key goes with a reason"):
            client.redrive("t", "g", key="0", everything=True)
        assert client.redrive("t", "g", key="0", dry_run=True) == 3
        assert client.redrive("t", "g", key="0", reason="r2", rate=1000) == 1
        assert client.discard("t", "g", key="0") == 2
        assert [(dead.offset, dead.error) for dead in client.dead("t", "g")] == [
            (1, "text"),
            (3, "text"),
            (5, "text"),
        ]


async def test_dead_records_are_chosen_by_key() -> None:
    async with Broker() as broker, await broker.connect() as client:
        for number in range(6):
            await client.publish("t", "v", key=str(number % 2))
        async with client.queue("t", group="g") as queue:
            for number in range(6):
                message = await anext(aiter(queue))
                await message.reject(reason=f"r{number}", error="text", confirm=True)
        await asyncio.to_thread(work, broker.url)
