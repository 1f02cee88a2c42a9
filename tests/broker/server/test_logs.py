"""The logs of a broker on a full disk: what was refused is written later, or not at all."""

import asyncio

import pytest

from tapemq.batch import HEADER_BYTES, Kind, LogId, Role, checksum
from tapemq.wire import messages as m
from tapemq_broker.config import Settings
from tapemq_broker.core.effects import Append
from tapemq_broker.core.results import TopicInfo
from tapemq_broker.core.topics import CATALOG
from tapemq_broker.server.logs import Logs
from tapemq_broker.storage.directory import DataDirectory
from tests.support.full_disk import FullDisk
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import memory_world, running_server


async def test_a_full_disk_refuses_and_loses_nothing() -> None:
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a", b"b")
        await client.subscribe(topic, group="g")
        assigned, _ = await client.push_of(m.Assigned)
        disk.full = True
        with pytest.raises(Refused) as refused:
            await client.publish(topic, b"c")
        assert refused.value.name == "disk_full"
        commit = m.Commit(topic.topic_id, "g", 0, assigned.generation, 2)
        with pytest.raises(Refused) as refused:
            await client.ask(commit, m.Done)
        assert refused.value.name == "disk_full"
        disk.full = False
        assert (await client.publish(topic, b"c")).base_offset == 2
        await client.ask(commit, m.Done)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        group = await client.ask(m.DescribeGroup(topic.topic_id, "g", 0), m.Group)
        assert group.cursor == 2


async def test_marks_of_many_logs_are_written_some_at_a_time() -> None:
    """Each is a write on the event loop, and on a full disk each would be tried in vain."""
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    world = memory_world(disk)
    logs = Logs(world, DataDirectory.open(disk, bytes(16)), Settings())
    logs.add(logs.make_topic(TopicInfo("t", 1, 200, 1, {}), 0))
    for partition in range(200):
        log_id = LogId(1, partition, Role.DATA)
        logs.append(Append(log_id, Kind.DATA, 0, 1, b"", checksum(b"")), 0)
    await logs.all_durable()
    at_rest_bytes = HEADER_BYTES
    later = world.clock.monotonic() + 1
    disk.full = True
    logs.mark_idle(later, 0.1, 0)
    assert disk.refused == 1
    disk.full = False
    marked = []
    for _ in range(3):
        logs.mark_idle(later + 1, 0.1, 0)
        marked.append(sum(log.size_bytes > at_rest_bytes for _, log in logs.data_logs()))
    assert 0 < marked[0] < 200
    assert marked[-1] == 200
    disk.close()


def logs_with_a_catalog(disk: FullDisk) -> Logs:
    logs = Logs(memory_world(disk), DataDirectory.open(disk, bytes(16)), Settings())
    logs.add_state(logs.open_catalog(None))
    logs.add(logs.make_topic(TopicInfo("t", 1, 1, 1, {}), 0))
    return logs


async def test_nothing_is_appended_that_the_catalog_may_not_know() -> None:
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    logs = logs_with_a_catalog(disk)
    disk.full = True
    logs.put_state(CATALOG, {b"topic/t": b"1"}, 0)
    disk.full = False
    logs.append(Append(LogId(1, 0, Role.DATA), Kind.DATA, 0, 1, b"", checksum(b"")), 0)
    await logs.all_durable()
    disk.power_cut()
    found = Logs(memory_world(disk), DataDirectory.open(disk, bytes(16)), Settings())
    assert found.open_catalog(None).entries == {b"topic/t": b"1"}


async def test_catalog_is_not_durable_while_a_full_disk_keeps_it_out() -> None:
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    logs = logs_with_a_catalog(disk)
    disk.full = True
    logs.put_state(CATALOG, {b"topic/t": None}, 0)
    waiting = asyncio.create_task(logs.catalog_durable())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
