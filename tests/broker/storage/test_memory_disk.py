from collections.abc import Sequence

import pytest

from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.memory_tree import NameChange, Write


@pytest.fixture
def disk() -> MemoryDisk:
    disk = MemoryDisk()
    disk.make_directory("a")
    return disk


def test_power_cut_takes_unsynced_bytes(disk: MemoryDisk) -> None:
    file = disk.open("a/f", create=True)
    file.append([b"synced"])
    disk.sync_now(file)
    file.append([b" and not"])
    disk.power_cut()
    assert disk.read_file("a/f") == b"synced"


def test_power_cut_takes_an_unsynced_truncation_back(disk: MemoryDisk) -> None:
    file = disk.open("a/f", create=True)
    file.append([b"synced"])
    disk.sync_now(file)
    file.truncate(2)
    disk.power_cut()
    assert disk.read_file("a/f") == b"synced"


def test_power_cut_takes_the_name_of_a_file_that_was_never_synced(disk: MemoryDisk) -> None:
    disk.open("a/f", create=True)
    disk.power_cut()
    assert disk.list_directory("a") == []


def test_synced_directory_keeps_the_name_but_not_the_bytes(disk: MemoryDisk) -> None:
    disk.open("a/f", create=True).append([b"lost"])
    disk.sync_directory("a")
    disk.power_cut()
    assert disk.read_file("a/f") == b""


def test_sync_makes_a_name_durable_but_not_that_of_others(disk: MemoryDisk) -> None:
    disk.open("a/g", create=True)
    disk.sync_now(disk.open("a/f", create=True))
    disk.power_cut()
    assert disk.list_directory("a") == ["f"]


def test_sync_through_another_handle_leaves_the_name_unsynced(disk: MemoryDisk) -> None:
    disk.open("a/f", create=True)
    disk.sync_now(disk.open("a/f"))
    disk.power_cut()
    assert disk.list_directory("a") == []


def test_unsynced_rename_and_removal_come_back(disk: MemoryDisk) -> None:
    disk.replace_file("a/f", b"f")
    disk.replace_file("a/g", b"g")
    disk.rename("a/f", "a/h")
    disk.remove("a/g")
    disk.power_cut()
    assert disk.list_directory("a") == ["f", "g"]
    assert disk.read_file("a/f") == b"f"


def test_discard_is_durable(disk: MemoryDisk) -> None:
    disk.replace_file("a/f", b"f")
    disk.discard(["a/f"])
    disk.power_cut()
    assert disk.list_directory("a") == []


def test_replace_file_is_all_or_nothing(disk: MemoryDisk) -> None:
    disk.replace_file("a/f", b"old")
    disk.replace_file("a/f", b"new", durable=False)
    disk.power_cut()
    assert disk.read_file("a/f") == b"old"
    disk.replace_file("a/f", b"newer")
    disk.power_cut()
    assert disk.read_file("a/f") == b"newer"


def test_sync_covers_what_was_written_before_it_began(disk: MemoryDisk) -> None:
    file = disk.open("a/f", create=True)
    file.append([b"before"])
    results: list[Exception | None] = []
    disk.sync([file], results.append)
    file.append([b" and after"])
    assert results == []
    disk.posted.popleft()()
    assert results == [None]
    disk.power_cut()
    assert disk.read_file("a/f") == b"before"


def test_power_cut_during_a_sync_is_never_reported(disk: MemoryDisk) -> None:
    file = disk.open("a/f", create=True)
    results: list[Exception | None] = []
    disk.sync([file], results.append)
    (finish,) = disk.posted
    disk.power_cut()
    assert not disk.posted
    finish()
    assert results == []
    assert disk.list_directory("a") == []


def test_files_from_before_a_power_cut_are_dead(disk: MemoryDisk) -> None:
    file = disk.open("a/f", create=True)
    disk.sync_now(file)
    disk.power_cut()
    with pytest.raises(OSError, match="power"):
        file.append([b"x"])
    with pytest.raises(OSError, match="power"):
        disk.sync_now(file)


def test_power_cut_releases_the_lock(disk: MemoryDisk) -> None:
    disk.lock()
    disk.power_cut()
    disk.lock()


def test_failed_sync_is_told_and_forgets(disk: MemoryDisk) -> None:
    file = disk.open("a/f", create=True)
    file.append([b"before"])
    results: list[Exception | None] = []
    disk.fail_sync([file], results.append)
    assert results == []
    disk.posted.popleft()()
    (error,) = results
    assert isinstance(error, OSError)
    file.append([b" and after"])
    with pytest.raises(OSError, match="Input/output"):
        disk.fail_sync_now(file)
    # The next sync succeeds, the bytes can be read, and are not on disk. The name is.
    disk.sync_now(file)
    assert disk.read_file("a/f") == b"before and after"
    disk.power_cut()
    assert disk.read_file("a/f") == b""


def test_rewritten_bytes_reach_the_disk_after_a_failed_sync(disk: MemoryDisk) -> None:
    file = disk.open("a/f", create=True)
    file.append([b"before"])
    with pytest.raises(OSError, match="Input/output"):
        disk.fail_sync_now(file)
    file.rewrite(0, b"before")
    disk.sync_now(file)
    disk.power_cut()
    assert disk.read_file("a/f") == b"before"


def test_dropped_cache_shows_what_is_on_the_disk(disk: MemoryDisk) -> None:
    file = disk.open("a/f", create=True)
    file.append([b"dirty"])
    file.drop_cache()
    assert disk.read_file("a/f") == b"dirty"
    with pytest.raises(OSError, match="Input/output"):
        disk.fail_sync_now(file)
    file.drop_cache()
    assert disk.read_file("a/f") == bytes(5)


def test_only_what_is_there_can_be_rewritten(disk: MemoryDisk) -> None:
    file = disk.open("a/f", create=True)
    file.append([b"abc"])
    with pytest.raises(ValueError, match="nothing to write again"):
        file.rewrite(1, b"abc")


def test_evicted_bytes_are_gone_without_a_power_cut(disk: MemoryDisk) -> None:
    file = disk.open("a/f", create=True)
    file.append([b"synced"])
    disk.sync_now(file)
    disk.open("a/g", create=True).append([b"not synced, and not forgotten"])
    file.append([b" and not"])
    with pytest.raises(OSError, match="Input/output"):
        disk.fail_sync_now(file)
    disk.evict()
    assert disk.read_file("a/f") == b"synced" + bytes(8)
    assert disk.read_file("a/g") == b"not synced, and not forgotten"


def test_failed_sync_that_a_power_cut_overtakes_is_never_reported(disk: MemoryDisk) -> None:
    results: list[Exception | None] = []
    disk.fail_sync([disk.open("a/f", create=True)], results.append)
    (finish,) = disk.posted
    disk.power_cut()
    finish()
    assert results == []


class _Survivor(MemoryDisk):
    """Keeps the first sector of a write and all new names, as a real disk may."""

    def surviving_writes(self, path: str, pending: Sequence[Write]) -> Sequence[Write]:
        return [Write(write.position, (write.data or b"")[:512]) for write in pending]

    def surviving_names(self, path: str, pending: Sequence[NameChange]) -> Sequence[NameChange]:
        return [change for change in pending if change.entry is not None]


def test_a_simulation_decides_what_survives() -> None:
    disk = _Survivor()
    disk.make_directory("a")
    disk.replace_file("a/g", b"")
    disk.open("a/f", create=True).append([b"x" * 600])
    disk.rename("a/g", "a/h")
    disk.remove("a/h")
    disk.power_cut()
    assert disk.list_directory("a") == ["f", "h"]
    assert disk.read_file("a/f") == b"x" * 512


def test_a_simulation_decides_what_of_a_failed_sync_reaches_the_disk() -> None:
    disk = _Survivor()
    file = disk.open("f", create=True)
    file.append([b"x" * 600])
    with pytest.raises(OSError, match="Input/output"):
        disk.fail_sync_now(file)
    assert file.content.durable == b"x" * 512
