"""A start on damaged data: the damaged partition is refused, the others serve."""

import asyncio
import errno
import re
from collections.abc import Sequence

import pytest

from tapemq.batch import HEADER_BYTES, Kind, LogId, Role, decode_header
from tapemq.wire import messages as m
from tapemq.wire.errors import STORAGE_FAILED
from tapemq_broker.config import Settings
from tapemq_broker.core.topics import CATALOG
from tapemq_broker.storage.clean import look_at_clean, write_clean
from tapemq_broker.storage.errors import DataDirectoryError, LogRefused
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.state_log import StateLog
from tests.support.disk_image import fill, take_image
from tests.support.full_disk import FullDisk
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import running_server


def damage(disk: MemoryDisk, name: str, log: str = "0") -> None:
    """Flip a bit in the first batch of the topic's records, or of another of its logs."""
    (topic,) = [
        path for path in disk.list_directory("topics/default") if path.startswith(f"{name}~")
    ]
    directory = f"topics/default/{topic}{log}"
    path = f"{directory}/00000000000000000000.log"
    data = disk.read_file(path)
    assert data is not None
    for name in disk.list_directory(directory):  # what a clean stop leaves saves the scan
        if not name.endswith(".log"):
            disk.remove(f"{directory}/{name}")
    disk.replace_file(path, data[:100] + bytes([data[100] ^ 1]) + data[101:])


async def test_a_damaged_partition_is_refused_and_the_others_serve(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        sick, well = await client.topic("sick"), await client.topic("well")
        for topic in (sick, well):
            for value in (b"a", b"b"):
                await client.publish(topic, value)
    disk.remove("CLEAN")  # as after a crash: the logs are scanned
    damage(disk, "sick")
    async with running_server(disk) as server:
        assert server.status().damaged_partitions == 1
        data_dir = Settings().data_dir.absolute()
        assert f"tapemq repair {data_dir}/topics/default/sick~" in caplog.text
        client = await RawClient.connect(server.port)
        with pytest.raises(Refused) as refused:
            await client.publish(sick, b"c")
        assert refused.value.name == "storage_failed"
        assert "repair" in str(refused.value)
        await client.subscribe(sick)
        detached, _ = await client.push_of(m.Detached)
        assert detached.code == STORAGE_FAILED.code
        assert (await client.publish(well, b"c")).base_offset == 2


@pytest.mark.parametrize("suffix", [".log", ".index", ".state"])
@pytest.mark.parametrize("is_clean", [True, False])
async def test_a_file_that_the_disk_does_not_give_does_not_keep_the_broker_from_starting(
    suffix: str, is_clean: bool
) -> None:
    """Its inode is damaged, for instance. Indexes and states can be done without."""
    disk = BadSectorDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        sick, well = await client.topic("sick"), await client.topic("well")
        for topic in (sick, well):
            await client.publish(topic, b"a")
    if not is_clean:
        disk.remove("CLEAN")
    disk.bad = ("/sick~", "/0/", suffix)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        assert (await client.publish(well, b"b")).base_offset == 1
        if suffix != ".log":
            assert (await client.publish(sick, b"b")).base_offset == 1
            return
        with pytest.raises(Refused, match=r"cannot be read.*Check the disk") as refused:
            await client.publish(sick, b"b")
        assert refused.value.name == "storage_failed"


class BadSectorDisk(MemoryDisk):
    """A disk that cannot open an old file whose path has all of some parts."""

    bad: Sequence[str] = ("nothing",)

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        if not create and self.size_bytes_of(path) and all(part in path for part in self.bad):
            raise OSError(errno.EIO, "input/output error", path)
        return super().open(path, create=create)

    def size_bytes_of(self, path: str) -> int:
        try:
            return super().open(path).size_bytes
        except FileNotFoundError:
            return 0


async def test_a_catalog_that_is_gone_is_not_made_anew() -> None:
    """Every topic would be gone with it, and nobody told. (Simulation, seed 82.)"""
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk):
        pass
    disk.remove("CLEAN")
    for name in disk.list_directory("catalog"):
        disk.remove(f"catalog/{name}")
    async with running_server(disk) as server:  # there was nothing to lose
        await (await RawClient.connect(server.port)).topic("t")
    disk.remove("CLEAN")
    for name in disk.list_directory("catalog"):
        disk.remove(f"catalog/{name}")
    with pytest.raises(LogRefused, match="MISSING_LOG"):
        async with running_server(disk):
            pass


async def test_damaged_groups_do_not_take_the_partition_with_them() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("sick")
        await client.publish(topic, b"a")
        for number, group in enumerate(("g", "h")):
            await client.subscribe(topic, subscription=number, group=group)
    disk.remove("CLEAN")
    damage(disk, "sick", "0.groups")
    async with running_server(disk) as server:
        assert server.status().damaged_partitions == 1
        client = await RawClient.connect(server.port)
        assert (await client.publish(topic, b"b")).base_offset == 1
        await client.subscribe(topic)
        deliver, _ = await client.push_of(m.Deliver)
        assert deliver.next_offset == 2
        with pytest.raises(Refused, match=r"groups cannot be used.*repair.*0\.groups") as refused:
            await client.subscribe(topic, subscription=2, group="g")
        assert refused.value.name == "storage_failed"
    assert disk.read_file("CLEAN") is not None


async def test_generations_and_producers_never_repeat_after_a_restart() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    seen = set()
    for boot_epoch in (1, 2, 3):
        async with running_server(disk) as server:
            client = await RawClient.connect(server.port)
            assert client.welcome.boot_epoch == boot_epoch
            seen.add(await client.open_producer())
    assert len(seen) == 3


async def test_no_broker_serves_whose_start_could_not_be_noted() -> None:
    """Else the next start would give the same generations and producer ids once more."""
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        await client.topic("t")
    disk.full = True
    for _ in range(2):
        with pytest.raises(DataDirectoryError, match=r"full.*free some space"):
            async with running_server(disk):
                pass
        disk.close()
    disk.full = False
    disk.power_cut()
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        assert client.welcome.boot_epoch == 2
        assert (await client.ask(m.DescribeTopic("t"), m.Topic)).partitions == 1


async def test_a_torn_tail_is_cut_counted_and_set_aside() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"kept")
    disk.remove("CLEAN")
    (name,) = disk.list_directory("topics/default")
    path = f"topics/default/{name}0/00000000000000000000.log"
    disk.replace_file(path, (disk.read_file(path) or b"") + b"half a batch")
    async with running_server(disk) as server:
        assert server.status().totals["bytes_cut_at_start"] == len(b"half a batch")
        assert server.status().totals["bytes_rewritten_at_start"] > 0
        client = await RawClient.connect(server.port)
        assert (await client.publish(topic, b"next")).base_offset == 1


def put(disk: MemoryDisk, path: str, log_id: LogId, entries: dict[bytes, bytes]) -> None:
    """Write into a log of state what no broker would."""
    kind = Kind.CATALOG if log_id.role is Role.CATALOG else Kind.GROUP
    state = StateLog.open(disk, path, log_id, kind, now_us=0)
    state.put(entries, 0)
    state.close(clean=False, now_us=0)


async def test_groups_that_make_no_sense_are_refused_and_the_others_serve(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        sick, well = await client.topic("sick"), await client.topic("well")
        for number, topic in enumerate((sick, well)):
            await client.publish(topic, b"a")
            await client.subscribe(topic, subscription=number, group="g")
    disk.remove("CLEAN")
    path = f"topics/default/sick~{sick.topic_id:016x}/0.groups"
    put(disk, path, LogId(sick.topic_id, 0, Role.GROUPS), {b"h": b"nonsense"})
    async with running_server(disk) as server:
        assert server.status().damaged_partitions == 1
        assert re.search(f"groups of partition 0 are refused: {path}.*NOT_UNDERSTOOD", caplog.text)
        client = await RawClient.connect(server.port)
        assert (await client.publish(sick, b"b")).base_offset == 1
        with pytest.raises(Refused, match=r"groups cannot be used.*restore the directory"):
            await client.subscribe(sick, subscription=2, group="g")
        await client.subscribe(well, subscription=3, group="g")
    assert disk.read_file("CLEAN") is not None


async def test_a_topic_that_makes_no_sense_is_refused_and_the_others_serve(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        sick, well = await client.topic("sick"), await client.topic("well")
        for topic in (sick, well):
            await client.publish(topic, b"a")
    disk.remove("CLEAN")
    put(disk, "catalog", CATALOG, {b"topic/sick": b"nonsense"})
    async with running_server(disk) as server:
        assert server.status().damaged_partitions == 1
        assert re.search("topic sick is refused: catalog.*NOT_UNDERSTOOD", caplog.text)
        client = await RawClient.connect(server.port)
        assert (await client.publish(well, b"b")).base_offset == 1
        for refused in (client.topic("sick"), client.ask(m.DescribeTopic("sick"), m.Topic)):
            with pytest.raises(Refused) as caught:
                await refused
            assert caught.value.name == "storage_failed"
    assert "can be removed" not in caplog.text


async def test_a_number_of_starts_that_makes_no_sense_refuses_the_start() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk):
        pass
    disk.remove("CLEAN")
    put(disk, "catalog", CATALOG, {b"boot": b"\xff" * 9})
    with pytest.raises(LogRefused, match=r"start number.*NOT_UNDERSTOOD"):
        async with running_server(disk):
            pass


async def cut_at_a_batch(disk: MemoryDisk, directory: str) -> None:
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
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        for value in (b"a", b"b"):
            await client.publish(topic, value)
    (folder,) = disk.list_directory("topics/default")
    await cut_at_a_batch(disk, f"topics/default/{folder}0")
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
    await cut_at_a_batch(disk, "catalog")
    for _ in range(2):
        with pytest.raises(LogRefused, match="CLEAN_MISMATCH"):
            async with running_server(disk):
                pass
        disk.close()


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
    for name in disk.list_directory("catalog"):
        disk.remove(f"catalog/{name}")
    for path in [path for path in before if path.startswith("catalog/")]:
        disk.replace_file(path, before[path])
    noted = look_at_clean(disk).entries
    write_clean(disk, [noted[at] for at in noted if at != CATALOG])
    async with running_server(disk) as server:
        assert {at.partition for at in look_at_clean(disk).entries} <= {0}
        client = await RawClient.connect(server.port)
        await client.ask(m.AlterTopic("t", 2), m.Topic)
        await client.publish(topic, b"b", partition=1)
    async with running_server(disk) as server:
        assert server.status().damaged_partitions == 0
