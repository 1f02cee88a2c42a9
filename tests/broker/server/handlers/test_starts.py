"""A start by time is looked up on disk, before the core is asked."""

import pytest

from tapemq.wire import messages as m
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import running_server


async def test_a_time_behind_the_last_record_waits_for_the_next() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        receipt = await client.publish(topic, b"a")
        await client.subscribe(topic, start="time", start_value=receipt.append_time_us + 10**9)
        assigned, _ = await client.push_of(m.Assigned)
        assert assigned.offset == 1


async def test_a_time_in_a_topic_that_is_gone_is_refused() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.ask(m.DeleteTopic("t"), m.Done)
        with pytest.raises(Refused) as refused:
            await client.subscribe(topic, start="time", start_value=1)
        assert refused.value.name == "stale_metadata"
        with pytest.raises(Refused):
            await client.ask(m.Seek(topic.topic_id, "g", 0, "time", 1), m.Done)
