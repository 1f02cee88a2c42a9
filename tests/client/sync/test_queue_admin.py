"""Against the real broker; what the calls do is in tests/client/queues."""

import asyncio

from tapemq import sync
from tapemq.testing import Broker


async def test_queue_groups_are_looked_after_without_asyncio() -> None:
    async with Broker() as broker, await broker.connect() as client:
        await client.publish("t", b"0")
        async with client.queue("t", group="g") as queue:
            message = await anext(aiter(queue))
            await message.reject(reason="no use", confirm=True)

        def work() -> None:
            with sync.connect(broker.url) as blocking:
                assert blocking.describe_queue("t", "g").dead == 1
                assert [dead.reason for dead in blocking.dead("t", "g")] == ["no use"]
                blocking.alter_queue("t", "g", paused=True)
                assert blocking.explain("t", "g").state == "paused"
                assert blocking.redrive("t", "g", everything=True, dry_run=True) == 1
                assert blocking.discard("t", "g", offsets=[0]) == 1
                assert blocking.describe_queue("t", "g").dead == 0

        await asyncio.to_thread(work)
