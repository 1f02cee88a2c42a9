"""Making topics takes threads, and leaves some to others."""

import asyncio

from tapemq.wire import messages as m
from tapemq_broker.server.engine import MAKERS
from tests.support.raw_client import RawClient
from tests.support.running_server import running_server
from tests.support.slow_disk import SlowDisk


async def test_topics_that_are_being_made_leave_threads_to_others() -> None:
    disk = SlowDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        disk.hold()
        asked = [client.send(m.CreateTopic(f"t{number}", 1)) for number in range(9)]
        while disk.begun < MAKERS:
            await client.ask(m.Ping(), m.Pong)
        disk.go_on.set()
        assert [await client.answer(topic, m.Topic) for topic in asked]
        assert disk.most_at_once == MAKERS
