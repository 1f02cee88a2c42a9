import asyncio
import gc
import os
from pathlib import Path

import pytest

from tapemq_broker.config import MIB, Settings
from tapemq_broker.core.results import TopicInfo
from tapemq_broker.server.log_store import LogStore
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.errors import LogRefused
from tapemq_broker.storage.files import OsDisk
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.logs import batch_of
from tests.support.running_server import memory_world


@pytest.fixture
async def disk() -> MemoryDisk:
    return MemoryDisk(post=asyncio.get_running_loop().call_soon)


@pytest.fixture
async def store(disk: MemoryDisk) -> LogStore:
    settings = Settings(segment_bytes=1 << 20)
    return LogStore(memory_world(disk), DataDirectory.open(disk, bytes(16)), settings)


def topic(partitions: int, **settings: int | str) -> TopicInfo:
    return TopicInfo("t", 7, partitions, 1, settings)


async def test_a_partition_has_a_log_of_records_and_one_of_groups(
    store: LogStore, disk: MemoryDisk
) -> None:
    assert len(store.make_topic(topic(1), 0)) == 1
    store.make_topic(topic(3), 1)
    names = disk.list_directory("topics/default/t~0000000000000007")
    assert sorted(names) == ["0.groups/", "0/", "1.groups/", "1/", "2.groups/", "2/"]


async def test_a_topic_may_have_a_segment_size_of_its_own(store: LogStore) -> None:
    assert store.settings_of(topic(1)).segment_bytes == 1 << 20
    assert store.settings_of(topic(1, segment_bytes=0)).segment_bytes == 1 << 20
    assert store.settings_of(topic(1, segment_bytes=5000)).segment_bytes == 5000


@pytest.mark.parametrize(
    ("own", "segment_mib"),
    [
        ({}, 8),
        ({"retention_bytes": 0}, 64),
        ({"retention_bytes": 20 * MIB}, 5),
        ({"retention_bytes": 1}, 1),
        ({"retention_bytes": 1024 * MIB}, 64),
        ({"retention_bytes": 20 * MIB, "segment_bytes": 50 * MIB}, 50),
        ({"max_bytes": 12 * MIB, "overflow": "drop_oldest"}, 3),
        ({"max_bytes": 0, "max_records": 7, "overflow": "drop_oldest"}, 8),
        ({"max_bytes": 12 * MIB}, 8),
    ],
)
async def test_segments_are_parts_of_the_size_that_a_partition_is_cut_to(
    disk: MemoryDisk, own: dict[str, int | str], segment_mib: int
) -> None:
    """Only whole ones go: one of 64 MiB kept all of what was to be 20."""
    settings = Settings(retention_bytes=32 * MIB)
    store = LogStore(memory_world(disk), DataDirectory.open(disk, bytes(16)), settings)
    assert store.settings_of(topic(1, **own)).segment_bytes == segment_mib * MIB


async def test_what_must_exist_is_refused_if_it_does_not(store: LogStore) -> None:
    with pytest.raises(LogRefused):
        store.open_groups(topic(1), 0, clean=None, must_exist=True)


async def test_nothing_is_left_of_a_topic_that_is_removed(
    store: LogStore, disk: MemoryDisk
) -> None:
    store.discard(store.make_topic(topic(2), 0))
    store.remove_topic(topic(2).name, topic(2).topic_id)
    assert disk.list_directory("topics/default") == []


async def test_files_of_a_removed_topic_are_closed(tmp_path: Path) -> None:
    """The disk gets its bytes back when nobody has them open."""
    disk = OsDisk(str(tmp_path))
    store = LogStore(memory_world(disk), DataDirectory.open(disk, bytes(16)), Settings())
    made = store.make_topic(topic(2), 0)
    made[0].data.append(batch_of(b"x"), 1)
    made[1].groups.put({b"g": b"x"}, 1)
    assert open_below(tmp_path / "topics")
    store.discard(made)
    del made
    store.remove_topic(topic(2).name, topic(2).topic_id)
    gc.collect()
    assert open_below(tmp_path / "topics") == []
    disk.close()


async def test_as_many_segments_stay_open_as_the_world_allows(tmp_path: Path) -> None:
    disk = OsDisk(str(tmp_path))
    world = memory_world(disk)._replace(segments_open_max=2)
    store = LogStore(world, DataDirectory.open(disk, bytes(16)), Settings())
    opened = store.make_topic(topic(5), 0)
    for made in opened:
        made.data.append(batch_of(b"x"), 1)
    assert len(open_below(tmp_path / "topics")) == 5
    del opened, made
    gc.collect()
    assert len(open_below(tmp_path / "topics")) == 2
    disk.close()


def open_below(path: Path) -> list[str]:
    """What this process has open in a directory; files that were removed, too."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [name for name in map(os.readlink, links) if name.startswith(str(path))]
