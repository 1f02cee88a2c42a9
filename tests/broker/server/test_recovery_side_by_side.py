"""A start that opens more than one partition at a time, in threads."""

import asyncio
import errno
from threading import Barrier

import pytest

from tapemq.batch import Columns, checksum, encode_body
from tapemq.wire import messages as m
from tapemq_broker.storage.disk import File
from tapemq_broker.storage.errors import SyncFailed
from tapemq_broker.storage.memory_disk import MemoryDisk, Post
from tests.support.raw_client import RawClient
from tests.support.running_server import running_server


async def test_partitions_are_recovered_at_the_same_time() -> None:
    """After a crash most of it is waiting for syncs, and there may be thousands of logs."""
    disk = MeetingDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topics = [await client.topic(f"t{n}", partitions=2) for n in range(2)]
        for topic in topics:
            for partition in range(2):
                await client.publish(topic, b"a", partition=partition)
    disk.remove("CLEAN")
    disk.synced.clear()
    disk.meet = Barrier(3, timeout=10)
    async with running_server(disk, recovery_threads=3) as server:
        assert not disk.meet.broken
        assert server.status().damaged_partitions == 0
        assert sum(server.status().totals["logs_opened"].values()) == 1 + 2 * 4
        client = await RawClient.connect(server.port)
        for topic in topics:
            for partition in range(2):
                receipt = await client.publish(topic, b"b", partition=partition)
                assert receipt.base_offset == 1


async def test_schedule_logs_are_recovered_at_the_same_time() -> None:
    disk = MeetingDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        body = encode_body(Columns([b"x"]))
        for number in range(3):
            topic = await client.topic(f"t{number}")
            wish = m.Schedule(topic.topic_id, 0, checksum(body), delay_ms=10**9)
            await client.ask(wish, m.Scheduled, body)
    disk.remove("CLEAN")
    disk.synced.clear()
    disk.meets_at = ".schedule"
    disk.meet = Barrier(3, timeout=10)
    async with running_server(disk, recovery_threads=3) as server:
        assert not disk.meet.broken
        assert sum(server.status().totals["logs_opened"].values()) == 1 + 3 * 3


async def test_what_fails_one_of_the_threads_that_recover_fails_the_start() -> None:
    """And the rest is not begun."""
    disk = MeetingDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        await client.topic("t", partitions=64)
    disk.remove("CLEAN")
    disk.synced.clear()
    disk.fails_at = "/1.groups"
    with pytest.raises(SyncFailed, match="the disk fails"):
        async with running_server(disk, recovery_threads=2):
            pass
    assert len(disk.synced) < 64


class MeetingDisk(MemoryDisk):
    """On which the first syncs of logs of a kind wait for each other, or those of one fail."""

    meet: Barrier | None = None
    meets_at = ".groups"
    fails_at = "nothing"

    def __init__(self, *, post: Post | None = None) -> None:
        super().__init__(post=post)
        self.synced: set[str] = set()

    def sync_now(self, file: File) -> None:
        super().sync_now(file)
        directory = file.path.rpartition("/")[0]
        if directory.endswith(self.fails_at):
            raise SyncFailed(errno.EIO, "the disk fails", file.path)
        if directory.endswith(self.meets_at) and directory not in self.synced:
            self.synced.add(directory)
            if self.meet and len(self.synced) <= self.meet.parties:
                self.meet.wait()
