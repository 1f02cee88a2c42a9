"""A start on damaged data: the damaged partition is refused, the others serve."""

import asyncio
import errno
import re
from collections.abc import Sequence
from errno import ENOSPC

import pytest

from tapemq.batch import HEADER_BYTES, Kind, LogId, Role
from tapemq.wire import messages as m
from tapemq.wire.errors import STORAGE_FAILED
from tapemq_broker.config import Settings
from tapemq_broker.core.topics import CATALOG
from tapemq_broker.storage.boot_epoch import BOOT_PATH
from tapemq_broker.storage.directory import CATALOG_PLACE, DataDirectory
from tapemq_broker.storage.errors import DataDirectoryError, LogRefused
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.repair import repair
from tapemq_broker.storage.repair_plan import Mode
from tapemq_broker.storage.state_log import StateLog
from tests.support.disk_image import restore_catalog, take_image
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


async def publish_to_two_topics(disk: MemoryDisk, *, is_clean: bool) -> tuple[m.Topic, m.Topic]:
    """A record each, to "sick" and "well", by a broker that then stopped, cleanly or not."""
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        sick, well = await client.topic("sick"), await client.topic("well")
        for topic in (sick, well):
            await client.publish(topic, b"a")
    if not is_clean:
        disk.remove("CLEAN")
    return sick, well


@pytest.mark.parametrize("suffix", [".log", ".index", ".state"])
@pytest.mark.parametrize("is_clean", [True, False])
async def test_a_file_that_the_disk_does_not_give_does_not_keep_the_broker_from_starting(
    suffix: str, is_clean: bool
) -> None:
    """Its inode is damaged, for instance. Indexes and states can be done without."""
    disk = BadSectorDisk(post=asyncio.get_running_loop().call_soon)
    sick, well = await publish_to_two_topics(disk, is_clean=is_clean)
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


@pytest.mark.parametrize(
    ("gone", "refused"),
    [
        ("/0", "partition 0 is refused"),
        ("/0.groups", "the groups of partition 0 are refused"),
        ("/0.schedule", "its schedules are refused"),
        ("", "partition 0 is refused"),
    ],
)
@pytest.mark.parametrize("is_clean", [True, False])
async def test_a_directory_that_the_disk_does_not_give_does_not_keep_the_broker_from_starting(
    gone: str, refused: str, is_clean: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Its inode is damaged, it lost its permissions, or a file has taken its place."""
    disk = BadDirectoryDisk(post=asyncio.get_running_loop().call_soon)
    sick, well = await publish_to_two_topics(disk, is_clean=is_clean)
    (folder,) = [name for name in disk.list_directory("topics/default") if "sick~" in name]
    disk.bad = f"topics/default/{folder[:-1]}"
    disk.is_whole_topic, disk.bad = not gone, disk.bad + gone
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        assert (await client.publish(well, b"b")).base_offset == 1
        assert f"topic sick: {refused}" in caplog.text
        if "/0." in gone:
            assert (await client.publish(sick, b"b")).base_offset == 1
            return
        with pytest.raises(Refused, match=r"cannot be read.*Check the disk") as failure:
            await client.publish(sick, b"b")
        assert failure.value.name == "storage_failed"


class BadDirectoryDisk(MemoryDisk):
    """A disk that cannot list one directory; or none within a topic's, either."""

    bad = "nothing"
    is_whole_topic = False

    def list_directory(self, path: str) -> list[str]:
        if path == self.bad or (self.is_whole_topic and path.startswith(f"{self.bad}/")):
            raise OSError(errno.EIO, "input/output error", path)
        return super().list_directory(path)


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


CATALOG_FILE = "catalog/00000000000000000000.log"


async def repair_catalog(disk: MemoryDisk, known: int) -> None:
    """Damage what was put in the catalog last, behind ``known`` bytes, and have it repaired."""
    damaged = bytearray(disk.read_file(CATALOG_FILE) or b"")
    damaged[known + HEADER_BYTES] ^= 1
    for path in ("CLEAN", *(f"catalog/{name}" for name in disk.list_directory("catalog"))):
        disk.remove(path)  # what a clean stop leaves saves the scan
    disk.replace_file(CATALOG_FILE, bytes(damaged))
    with pytest.raises(LogRefused, match=r"ROT.*tapemq repair catalog"):
        async with running_server(disk):
            pass
    disk.close()
    directory = DataDirectory.open_offline(disk, for_writing=True)
    repair(directory, CATALOG_PLACE, Mode.TRUNCATE, confirm=True, now_us=1)
    disk.close()


@pytest.mark.parametrize("is_repaired", [True, False])
async def test_a_producer_id_that_the_catalog_forgot_is_not_given_again(is_repaired: bool) -> None:
    """Its batches would be taken for retries of the first one's: confirmed, and in no log."""
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
    image = take_image(disk)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        await client.publish(topic, b"a", producer_id=await client.open_producer())
    if is_repaired:
        await repair_catalog(disk, len(image[CATALOG_FILE]))
    else:
        restore_catalog(disk, image)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        receipt = await client.publish(topic, b"b", producer_id=await client.open_producer())
        assert (receipt.duplicate, receipt.base_offset) == (False, 1)


async def test_a_start_that_is_noted_in_the_catalog_alone_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk):
        pass
    disk.replace_file(BOOT_PATH, b"damaged")
    async with running_server(disk) as server:
        assert (await RawClient.connect(server.port)).welcome.boot_epoch == 2
    assert "BOOT is damaged" in caplog.text
    disk.remove(BOOT_PATH)  # as an older version left it
    async with running_server(disk) as server:
        assert (await RawClient.connect(server.port)).welcome.boot_epoch == 3


class NoNewFiles(MemoryDisk):
    """A full disk with room for a little more in files that there are."""

    def replace_file(self, path: str, data: bytes, *, durable: bool = True) -> None:
        if path == BOOT_PATH:
            raise OSError(ENOSPC, "no space left")
        super().replace_file(path, data, durable=durable)


async def test_a_full_disk_on_which_the_catalog_has_room_is_served() -> None:
    disk = NoNewFiles(post=asyncio.get_running_loop().call_soon)
    for boot_epoch in (1, 2):
        async with running_server(disk) as server:
            assert (await RawClient.connect(server.port)).welcome.boot_epoch == boot_epoch


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
