"""The catalog through a real server, and through a restart."""

import asyncio

import pytest

from tapemq.wire import messages as m
from tapemq.wire.limits import TEXT_BYTES_MAX
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import running_server


async def test_create_describe_list_alter_delete() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        made = await client.topic("t", partitions=2, settings={"retention_bytes": 5})
        assert await client.ask(m.DescribeTopic("t"), m.Topic) == made
        assert (await client.ask(m.ListTopics(), m.Names)).names == ["t"]
        wider = await client.ask(
            m.AlterTopic("t", partitions=3, settings={"retention_age_s": 9}), m.Topic
        )
        assert (wider.partitions, wider.version) == (3, 2)
        assert wider.settings == {"retention_bytes": 5, "retention_age_s": 9}
        assert (await client.publish(made, b"x", partition=2)).base_offset == 0
        await client.ask(m.DeleteTopic("t"), m.Done)
        with pytest.raises(Refused, match="no topic 't'"):
            await client.ask(m.DescribeTopic("t"), m.Topic)


async def test_topics_survive_a_restart_and_deleted_ones_do_not() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        kept = await client.topic("kept")
        await client.publish(kept, b"one", b"two")
        await client.topic("gone")
        await client.ask(m.DeleteTopic("gone"), m.Done)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        assert await client.ask(m.DescribeTopic("kept"), m.Topic) == kept
        assert (await client.ask(m.ListTopics(), m.Names)).names == ["kept"]
        partition = await client.ask(m.DescribePartition(kept.topic_id, 0), m.Partition)
        assert (partition.first_offset, partition.next_offset) == (0, 2)
        assert client.welcome.boot_epoch == 2


async def test_first_use_creates_if_the_broker_allows_it() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        asked = [client.send(m.DescribeTopic("new", create=True)) for _ in range(3)]
        answers = [await client.answer(correlation, m.Topic) for correlation in asked]
        assert len(set(map(str, answers))) == 1
    async with running_server(auto_create_topics=False) as server:
        client = await RawClient.connect(server.port)
        with pytest.raises(Refused, match="no topic 'new'"):
            await client.ask(m.DescribeTopic("new", create=True), m.Topic)


@pytest.mark.parametrize(
    ("wish", "text"),
    [
        (m.CreateTopic("../up"), "is no topic name"),
        (m.CreateTopic("taken"), "already"),
        (m.CreateTopic("t", partitions=0), "partitions"),
        (m.CreateTopic("t", settings={"colour": "red"}), "no topic setting"),
        (m.CreateTopic("t", settings={"retention_bytes": "much"}), "retention_bytes"),
        (m.AlterTopic("missing"), "no topic"),
        (m.AlterTopic("two", partitions=1), "only grow"),
        (m.DeleteTopic("missing"), "no topic"),
        (m.DescribeTopic("x" * TEXT_BYTES_MAX), "no topic"),
        (m.CreateTopic("t", settings={"x" * TEXT_BYTES_MAX: 1}), "no topic setting"),
    ],
)
async def test_what_cannot_be_says_why(wish: m.Message, text: str) -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        await client.topic("taken")
        await client.topic("two", partitions=2)
        with pytest.raises(Refused, match=text):
            await client.ask(wish, m.Topic)


async def test_offsets_by_time_and_the_brokers_status() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a")
        second = await client.publish(topic, b"b")
        found = await client.ask(
            m.DescribePartition(topic.topic_id, 0, time_us=second.append_time_us), m.Partition
        )
        assert found.time_offset <= second.base_offset
        after = m.DescribePartition(topic.topic_id, 0, time_us=found.last_append_time_us + 1)
        assert (await client.ask(after, m.Partition)).time_offset == 2
        status = await client.ask(m.BrokerStatus(), m.Status)
        assert 0 < status.disk_free_min_bytes < status.disk_free_bytes
        assert (status.topics, status.connections, status.records_published) == (1, 1, 2)
