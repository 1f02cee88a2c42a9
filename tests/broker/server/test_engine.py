"""Carrying effects out, in order, and together where the disk allows it."""

import asyncio
import errno
from typing import Any

import pytest

from tapemq.wire import messages as m
from tapemq_broker.config import Settings
from tapemq_broker.server.server import Server
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import memory_world, running_server


async def test_durable_receipts_leave_in_the_order_of_publishes() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        rounds_before = server.status().sync_rounds
        sent = [client.send_publish(topic, b"%d" % number) for number in range(50)]
        receipts = [await client.answer(correlation, m.Receipt) for correlation in sent]
        assert [receipt.base_offset for receipt in receipts] == list(range(50))
        assert server.status().sync_rounds - rounds_before < 50


async def test_topics_made_at_once_are_all_made() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        names = [f"t{number}" for number in range(20)]
        topics = await asyncio.gather(*(made(server.port, name) for name in names))
        assert len({topic.topic_id for topic in topics}) == len(names)
        listed = await client.ask(m.ListTopics(), m.Names)
        assert listed.names == sorted(names)


async def made(port: int, name: str) -> m.Topic:
    return await (await RawClient.connect(port)).topic(name)


class AwkwardDisk(MemoryDisk):
    """A disk that has no room for a partition's second log, or that removes nothing."""

    full = False
    stubborn = False
    refused = 0

    def open(self, path: str, *, create: bool = False) -> Any:
        if self.full and create and ".groups" in path:
            raise OSError(errno.ENOSPC, "no space left")
        return super().open(path, create=create)

    def rename(self, source: str, target: str) -> None:
        if self.stubborn:
            self.refused += 1
            raise OSError(errno.EPERM, "not permitted")
        super().rename(source, target)


@pytest.fixture
async def disk() -> AwkwardDisk:
    return AwkwardDisk(post=asyncio.get_running_loop().call_soon)


async def test_a_topic_that_cannot_be_made_leaves_nothing_behind(disk: AwkwardDisk) -> None:
    """Clients try again and again while the disk is full."""
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        disk.full = True
        with pytest.raises(Refused) as refused:
            await client.topic("t")
        assert refused.value.name == "disk_full"
        assert disk.list_directory("topics/default") == []
        disk.full = False
        assert (await client.topic("t")).partitions == 1


async def test_files_that_cannot_be_removed_do_not_end_the_broker(disk: AwkwardDisk) -> None:
    ended: list[str] = []
    server = Server(Settings(), memory_world(disk)._replace(fatal=ended.append))
    await server.start("127.0.0.1", 0)
    client = await RawClient.connect(server.port)
    await client.topic("t")
    disk.stubborn = True
    await client.ask(m.DeleteTopic("t"), m.Done)
    while not disk.refused:
        await client.ask(m.Ping(), m.Pong)
    await client.ask(m.Ping(), m.Pong)
    client.close()
    await server.stop()
    assert ended == []
    assert len(disk.list_directory("topics/default")) == 1
