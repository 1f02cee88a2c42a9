"""Files of deleted topics go one topic after the other, and none is left when the broker ends."""

import asyncio

import pytest

from tapemq.wire import messages as m
from tapemq_broker.cli.offline import sound_entries
from tapemq_broker.core.topics import CATALOG, gone_topics
from tapemq_broker.server.server import Server
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.disk_image import fill, take_image
from tests.support.raw_client import RawClient
from tests.support.running_server import running_server
from tests.support.slow_disk import SlowDisk

NAMES = [f"t{number}" for number in range(12)]


def new_disk() -> SlowDisk:
    return SlowDisk(post=asyncio.get_running_loop().call_soon)


async def deleted(server: Server, disk: SlowDisk) -> RawClient:
    """Topics are made and deleted, and the removal of the first one has begun."""
    client = await RawClient.connect(server.port)
    for name in NAMES:
        await client.topic(name)
    disk.hold()
    for name in NAMES:
        await client.ask(m.DeleteTopic(name), m.Done)
    while not disk.begun:
        await client.ask(m.Ping(), m.Pong)
    return client


async def none_left(client: RawClient, disk: MemoryDisk) -> None:
    while disk.list_directory("topics/default"):
        await client.ask(m.Ping(), m.Pong)
    await client.ask(m.CreateTopic("last", 1), m.Topic)  # what was noted before is on disk


async def test_very_many_deleted_topics_leave_threads_to_others() -> None:
    disk = new_disk()
    async with running_server(disk) as server:
        client = await deleted(server, disk)
        disk.go_on.set()
        await none_left(client, disk)
        assert disk.most_at_once == 1


async def test_what_a_crash_has_left_of_deleted_topics_goes_at_the_next_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk, again = new_disk(), MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        await deleted(server, disk)
        fill(again, take_image(disk))
        disk.go_on.set()
    async with running_server(again) as server:
        assert "the catalog knows no such topic" not in caplog.text
        await none_left(await RawClient.connect(server.port), again)
    catalog = sound_entries(LogFiles(again, "catalog", CATALOG))
    assert list(gone_topics(catalog)) == []


async def test_a_stop_does_not_wait_for_all_that_is_to_be_removed() -> None:
    disk = new_disk()
    async with running_server(disk) as server:
        (await deleted(server, disk)).close()
        stop = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        disk.go_on.set()
        await stop
        assert disk.begun == 1
    async with running_server(disk) as server:
        await none_left(await RawClient.connect(server.port), disk)
