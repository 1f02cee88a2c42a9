"""What a clean stop has noted counts until a start has found it so."""

import asyncio
import errno
from contextlib import suppress

import pytest

import tapemq
from tapemq.batch import HEADER_BYTES, Role, decode_header
from tapemq.wire import messages as m
from tapemq_broker.core.topics import CATALOG
from tapemq_broker.storage.clean import look_at_clean, write_clean
from tapemq_broker.storage.errors import CorruptLog, DataDirectoryError, LogRefused
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.disk_image import fill, flipped, restore_catalog, take_image
from tests.support.faulty_disk import Fail, FaultyDisk, failing
from tests.support.full_disk import FullDisk
from tests.support.raw_client import RawClient
from tests.support.running_server import running_server
from tests.support.scheduled_broker import scheduled_broker


class Killed(Exception):
    """The process is gone."""


def dying(steps: int) -> Fail:
    """After so many calls, none is carried out any more."""
    left = iter(range(steps))

    def fail(operation: str, path: str) -> None:
        if next(left, None) is None:
            raise Killed

    return fail


async def stop_and_cut(disk: MemoryDisk) -> None:
    """A clean stop, and then a partition that has its first batch only."""
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        for value in (b"a", b"b"):
            await client.publish(topic, value)
    (folder,) = disk.list_directory("topics/default")
    cut_at_a_batch(disk, f"topics/default/{folder}0")


def cut_at_a_batch(disk: MemoryDisk, directory: str) -> None:
    """Leave the first batch of a log, as if there had never been more."""
    for name in disk.list_directory(directory):
        if not name.endswith(".log"):
            disk.remove(f"{directory}/{name}")
    (name,) = disk.list_directory(directory)
    file = disk.open(f"{directory}/{name}")
    file.truncate(decode_header(file.read(0, HEADER_BYTES)).batch_bytes)
    disk.sync_now(file)


@pytest.mark.parametrize("is_killed", [True, False])
async def test_what_a_clean_stop_noted_of_a_refused_log_is_kept(is_killed: bool) -> None:
    """The next start would else find nothing wrong with what is left, and give offsets twice."""
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    await stop_and_cut(disk)
    for _ in range(3):
        async with running_server(disk) as server:
            assert server.status().damaged_partitions == 1
            if is_killed:
                image = take_image(disk)
        if is_killed:
            disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
            fill(disk, image)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        await client.ask(m.DeleteTopic("t"), m.Done)
    assert {at.topic_id for at in look_at_clean(disk).entries} == {0}


async def test_what_a_clean_stop_noted_is_kept_when_the_catalog_is_refused() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        await client.topic("t")
    cut_at_a_batch(disk, "catalog")
    for _ in range(2):
        with pytest.raises(LogRefused, match="CLEAN_MISMATCH"):
            async with running_server(disk):
                pass
        disk.close()


async def test_what_a_clean_stop_noted_is_kept_when_a_full_disk_refuses_the_start() -> None:
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    await stop_and_cut(disk)
    disk.full = True
    with pytest.raises(DataDirectoryError, match="free some space"):
        async with running_server(disk):
            pass
    disk.close()
    disk.full = False
    async with running_server(disk) as server:
        assert server.status().damaged_partitions == 1


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO])
async def test_what_a_clean_stop_noted_is_kept_when_the_disk_fails_the_start(number: int) -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t", partitions=2)
        for value in (b"a", b"b"):
            await client.publish(topic, value, partition=1)
    (folder,) = disk.list_directory("topics/default")
    cut_at_a_batch(disk, f"topics/default/{folder}1")
    failing_disk = FaultyDisk()
    fill(failing_disk, take_image(disk))
    happens = "open" if number == errno.EMFILE else "replace_file"
    failing_disk.fail = failing(happens, number, path="0/" if happens == "open" else "BOOT")
    with pytest.raises(OSError, match=f"{happens} fails"):
        async with running_server(failing_disk):
            pass
    failing_disk.fail = lambda operation, path: None
    again = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    fill(again, take_image(failing_disk))
    async with running_server(again) as server:
        assert server.status().damaged_partitions == 1


async def test_what_a_clean_stop_noted_is_kept_when_the_start_is_killed() -> None:
    """At whichever call of the disk, and the next start, too: it would else find nothing wrong."""
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    await stop_and_cut(disk)
    image = take_image(disk)
    step = 0
    while step >= 0:
        killed = FaultyDisk(post=asyncio.get_running_loop().call_soon)
        fill(killed, image)
        killed.fail = dying(step)
        with suppress(Killed):
            async with running_server(killed) as server:
                assert server.status().damaged_partitions == 1
                step = -2  # it got through
        step += 1
        killed.fail = lambda operation, path: None
        again = MemoryDisk(post=asyncio.get_running_loop().call_soon)
        fill(again, take_image(killed))
        async with running_server(again) as server:
            assert server.status().damaged_partitions == 1, step


async def test_what_a_clean_stop_noted_is_kept_when_the_catalog_is_damaged() -> None:
    """Where its state is gone, the start reads all of it, and finds out."""
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        await client.topic("t")
    noted = look_at_clean(disk).entries
    image = take_image(disk)
    names = [path for path in image if path.startswith("catalog/")]
    (segment,) = [path for path in names if path.endswith(".log")]
    image[segment] = flipped(image[segment], 8 * (HEADER_BYTES + 10))
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    fill(disk, {path: data for path, data in image.items() if not path.endswith(".state")})
    with pytest.raises(CorruptLog):
        async with running_server(disk):
            pass
    assert look_at_clean(disk).entries == noted


async def test_what_was_noted_of_a_log_that_is_made_again_is_not_kept() -> None:
    """The catalog was repaired, and does not know the partition: it is no refused one."""
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
    before = take_image(disk)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        await client.ask(m.AlterTopic("t", 2), m.Topic)
        await client.publish(topic, b"a", partition=1)
    noted = look_at_clean(disk).entries
    restore_catalog(disk, before)
    write_clean(disk, [noted[at] for at in noted if at != CATALOG])
    async with running_server(disk) as server:
        assert {at.partition for at in look_at_clean(disk).entries} <= {0}
        client = await RawClient.connect(server.port)
        await client.ask(m.AlterTopic("t", 2), m.Topic)
        await client.publish(topic, b"b", partition=1)
    async with running_server(disk) as server:
        assert server.status().damaged_partitions == 0


async def test_what_a_clean_stop_noted_of_schedules_that_the_catalog_forgot_is_kept() -> None:
    """The catalog is an older copy: the next start would find nothing wrong with what is left."""
    async with scheduled_broker() as broker:
        disk = broker.disk
        assert isinstance(disk, MemoryDisk)
        await broker.client.create_topic("t")
        await broker.stop()
        before = take_image(disk)
        await broker.start()
        for value in (b"a", b"b"):
            await broker.later(value, 60)
        await broker.stop()
        noted = look_at_clean(disk).entries
        restore_catalog(disk, before)
        write_clean(disk, [noted[at] for at in noted if at != CATALOG])
        (log_id,) = [at for at in noted if at.role is Role.SCHEDULE]
        (folder,) = disk.list_directory("topics/default")
        cut_at_a_batch(disk, f"topics/default/{folder}0.schedule")
        for _ in range(2):
            await broker.start()
            with pytest.raises(tapemq.StorageFailed, match="schedules of topic 't'"):
                await broker.pending()
            await broker.stop()
            assert log_id in look_at_clean(disk).entries
        await broker.start()
