"""The broker as a whole: what a stop and a start keep, and who may have a directory."""

import asyncio
import errno
import threading
from typing import Any

import pytest

from tapemq.batch import Columns, checksum, encode_body
from tapemq.wire import messages as m
from tapemq_broker.config import Settings
from tapemq_broker.server.server import Server
from tapemq_broker.storage.errors import DataDirectoryError
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.raw_client import RawClient
from tests.support.running_server import memory_world, running_server


def new_disk() -> MemoryDisk:
    return MemoryDisk(post=asyncio.get_running_loop().call_soon)


async def test_records_and_the_brokers_id_survive_a_clean_restart() -> None:
    disk = new_disk()
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a")
        broker_id = client.welcome.broker_id
    assert disk.read_file("CLEAN") is not None
    async with running_server(disk) as server:
        assert disk.read_file("CLEAN") is None
        client = await RawClient.connect(server.port)
        assert client.welcome.broker_id == broker_id
        assert (await client.publish(topic, b"b")).base_offset == 1


async def test_a_stop_that_a_full_disk_cannot_note_is_no_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All is on disk. The next start takes longer."""
    disk = FullForNotes(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a")
        disk.error = errno.ENOSPC
    assert server.stopped
    assert "cannot be noted, so the next start reads all logs" in caplog.text
    disk.error = 0
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        assert (await client.publish(topic, b"b")).base_offset == 1
        disk.error = errno.EIO
        with pytest.raises(OSError, match="no note"):
            await server.stop()
        server.stopped = True


class FullForNotes(MemoryDisk):
    error = 0

    def replace_file(self, path: str, data: bytes, *, durable: bool = True) -> None:
        if self.error:
            raise OSError(self.error, "no note")
        super().replace_file(path, data, durable=durable)


async def test_a_directory_in_use_is_refused() -> None:
    disk = new_disk()
    async with running_server(disk):
        second = Server(Settings(), memory_world(disk))
        with pytest.raises(DataDirectoryError, match="another process"):
            await second.start("127.0.0.1", 0)


class HeldDisk(MemoryDisk):
    """Opens nothing of a second partition, or of schedules, before it is let."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.held_at = "nowhere"
        self.has_come = asyncio.Event()
        self.let = threading.Event()
        self._loop = asyncio.get_running_loop()

    def list_directory(self, path: str) -> list[str]:
        if path.endswith(self.held_at):
            self._loop.call_soon_threadsafe(self.has_come.set)
            assert self.let.wait(timeout=10), "the event loop stands still"
        return super().list_directory(path)


@pytest.mark.parametrize("place", ["/1", "/0.schedule"])
async def test_the_event_loop_runs_while_the_directory_is_read(place: str) -> None:
    disk = HeldDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t", partitions=2)
        body = encode_body(Columns([b"x"]))
        schedule = m.Schedule(topic.topic_id, 0, checksum(body), delay_ms=3_600_000)
        await client.ask(schedule, m.Scheduled, body)
    disk.remove("CLEAN")
    disk.held_at = place
    server = Server(Settings(), memory_world(disk))
    start = asyncio.create_task(server.start("127.0.0.1", 0))
    await disk.has_come.wait()
    progress = server.recovering
    assert progress is not None
    assert (progress.partitions_read, progress.partitions) == (1 if place == "/1" else 2, 2)
    disk.let.set()
    await start
    assert server.recovering is None
    assert server.status().ready
    await server.stop(grace_s=1.0)


async def test_a_stop_lets_receipts_leave_and_refuses_the_rest() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        body = encode_body(Columns([b"x"]))
        publish = m.Publish(topic.topic_id, 0, checksum(body))
        sent = client.send(publish, body)
        await client.ask(m.BrokerStatus(), m.Status)  # the publish was read before this
        stop = asyncio.create_task(server.stop(grace_s=5.0))
        assert (await client.answer(sent, m.Receipt)).base_offset == 0
        await stop
        assert await client.at_end()
        assert not server.ready


async def test_a_topic_that_the_catalog_does_not_know_is_told_of_and_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    stranger = "topics/default/lost~0000000000000001"
    async with running_server(disk) as server:
        await (await RawClient.connect(server.port)).topic("t")
    disk.make_directory(f"{stranger}/0")
    async with running_server(disk):
        assert caplog.text.count("the catalog knows no such topic") == 1
        assert stranger in caplog.text
    assert disk.list_directory(stranger) == ["0/"]


async def test_a_stop_syncs_all_logs_together() -> None:
    """Each alone, one behind the other, would take long, and the event loop with it."""
    disk = CountingDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk, mark_idle_s=60.0) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t", partitions=5)
        for partition in range(5):
            await client.publish(topic, b"x", partition=partition)
        disk.alone = 0
    assert disk.alone == 0


class CountingDisk(MemoryDisk):
    """A disk that counts the syncs of one file that somebody waited for."""

    alone = 0

    def sync_now(self, file: Any) -> None:
        self.alone += 1
        super().sync_now(file)
