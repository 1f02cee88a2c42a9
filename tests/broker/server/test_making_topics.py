"""Making topics takes threads, and leaves some to others."""

import asyncio

import pytest

from tapemq.wire import messages as m
from tapemq_broker.server.engine import MAKERS
from tests.support.raw_client import RawClient, Refused
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


async def test_who_waits_for_a_topic_that_is_made_is_told_at_the_deadline() -> None:
    """Whoever asked for it first, and who waits behind that one."""
    disk = SlowDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        disk.hold()
        asked = [
            client.send(m.DescribeTopic("t", create=True, deadline_ms=deadline_ms))
            for deadline_ms in (1, 1, 60_000)
        ]
        for correlation in asked[:2]:
            with pytest.raises(Refused) as caught:
                await client.answer(correlation, m.Topic)
            assert caught.value.name == "deadline_exceeded"
        disk.go_on.set()
        assert (await client.answer(asked[2], m.Topic)).topic == "t"
