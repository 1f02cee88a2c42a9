"""Groups through a real server: commit, seek, hold, delete, and a restart."""

import asyncio

import pytest

from tapemq.wire import messages as m
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import running_server


async def joined(client: RawClient, **fields: object) -> tuple[m.Topic, m.Assigned]:
    """A topic with three records, and a group that reads it."""
    topic = await client.topic("t")
    await client.publish(topic, b"a", b"b", b"c")
    await client.subscribe(topic, group="g", **fields)
    assigned, _ = await client.push(m.Assigned)
    await client.push(m.Deliver)
    return topic, assigned


async def test_commits_move_forward_only_and_show() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic, assigned = await joined(client)
        for offset, cursor in ((2, 2), (1, 2), (3, 3)):
            commit = m.Commit(topic.topic_id, "g", 0, assigned.generation, offset)
            await client.ask(commit, m.Done)
            group = await client.ask(m.DescribeGroup(topic.topic_id, "g", 0), m.Group)
            assert (group.cursor, group.lag) == (cursor, 3 - cursor)
        with pytest.raises(Refused) as refused:
            await client.ask(m.Commit(topic.topic_id, "g", 0, assigned.generation, 4), m.Done)
        assert refused.value.name == "offset_out_of_range"


async def test_a_seek_assigns_anew() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic, assigned = await joined(client)
        await client.ask(m.Commit(topic.topic_id, "g", 0, assigned.generation, 3), m.Done)
        for start, value, offset in (("offset", 1, 1), ("earliest", 0, 0), ("time", 1, 0)):
            await client.ask(m.Seek(topic.topic_id, "g", 0, start, value), m.Done)
            again, _ = await client.push(m.Assigned)
            assert again.offset == offset
            assert again.seek_epoch == assigned.seek_epoch + 1
            assert again.generation > assigned.generation
            assigned = again
            await client.push(m.Deliver)


async def test_positions_survive_a_restart() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic, assigned = await joined(client, hold=True)
        await client.ask(m.Commit(topic.topic_id, "g", 0, assigned.generation, 2), m.Done)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        group = await client.ask(m.DescribeGroup(topic.topic_id, "g", 0), m.Group)
        assert (group.cursor, group.hold, group.members) == (2, True, 0)


async def test_list_alter_delete() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic, _ = await joined(client)
        assert (await client.ask(m.ListGroups(topic.topic_id), m.Names)).names == ["g"]
        await client.ask(m.AlterGroup(topic.topic_id, "g", hold=True), m.Done)
        assert (await client.ask(m.DescribeGroup(topic.topic_id, "g", 0), m.Group)).hold
        with pytest.raises(Refused) as refused:
            await client.ask(m.DeleteGroup(topic.topic_id, "g"), m.Done)
        assert refused.value.name == "group_busy"
        await client.ask(m.Unsubscribe(1), m.Done)
        await client.ask(m.DeleteGroup(topic.topic_id, "g"), m.Done)
        assert (await client.ask(m.ListGroups(topic.topic_id), m.Names)).names == []
        with pytest.raises(Refused) as refused:
            await client.ask(m.DescribeGroup(topic.topic_id, "g", 0), m.Group)
        assert refused.value.name == "unknown_group"
