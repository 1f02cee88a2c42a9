import errno
import gc
import mmap
import os
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from tapemq_broker.storage.disk import Buffer
from tapemq_broker.storage.errors import SyncFailed
from tapemq_broker.storage.files import OsDisk, OsFile
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.read_only import make_read_only


@pytest.fixture
def disk(tmp_path: Path) -> OsDisk:
    disk = OsDisk(str(tmp_path))
    disk.make_directory("a")
    return disk


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of what is synced, in order."""
    paths: list[str] = []

    def record(descriptor: int) -> None:
        paths.append(os.readlink(f"/proc/self/fd/{descriptor}").rpartition("/")[2])

    monkeypatch.setattr("tapemq_broker.storage.files._sync_data", record)
    monkeypatch.setattr("os.fsync", record)
    return paths


def test_first_sync_of_a_new_file_syncs_its_directory_behind_it(
    disk: OsDisk, synced: list[str]
) -> None:
    file = disk.open("a/f", create=True)
    disk.sync_now(file)
    disk.sync_now(file)
    assert synced == ["f", "a", "f"]


def test_a_directory_whose_name_cannot_be_synced_fails_the_sync(
    disk: OsDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = disk.open("a/f", create=True)

    break_directories(monkeypatch)
    for _ in range(2):
        with pytest.raises(OSError, match="broken"):
            disk.sync_now(file)


def test_no_file_is_made_that_could_not_be_synced(
    disk: OsDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its directory is opened first: where no more files can be, it would fail a round of syncs."""
    original = os.open
    left = [0, 1, 0, 1, 1]

    def open_one(*arguments: Any, **more: Any) -> int:
        if not left.pop(0):
            raise OSError(errno.EMFILE, "too many open files")
        return original(*arguments, **more)

    monkeypatch.setattr(os, "open", open_one)
    for _ in range(2):
        with pytest.raises(OSError, match="too many"):
            disk.open("a/f", create=True)
        assert disk.list_directory("a") == []
    disk.sync_now(disk.open("a/f", create=True))
    assert left == []


def test_existing_directories_are_made_durable_again(disk: OsDisk, synced: list[str]) -> None:
    disk.make_directory("a/b")
    synced.clear()
    disk.make_directory("a/b")
    assert synced[1:] == ["a"]
    assert len(synced) == 2


def test_replace_file_syncs_content_then_name(disk: OsDisk, synced: list[str]) -> None:
    disk.replace_file("a/f", b"x")
    assert synced == ["f.tmp", "a"]
    disk.replace_file("a/f", b"x", durable=False)
    assert len(synced) == 2


def test_discard_syncs_the_directory_behind_each_file(disk: OsDisk, synced: list[str]) -> None:
    for name in "fg":
        disk.open(f"a/{name}", create=True)
    disk.discard(["a/f", "a/nothing", "a/g"])
    disk.close()
    assert synced == ["a", "a"]


def break_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no directory can be synced."""
    original = os.fsync

    def fail(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "the disk is broken")
        original(descriptor)

    monkeypatch.setattr(os, "fsync", fail)


def fail_a_discard(disk: OsDisk) -> None:
    """Remove a file from a directory that cannot be synced any more."""
    disk.open("a/gone", create=True)
    with pytest.MonkeyPatch.context() as broken:
        break_directories(broken)
        disk.discard(["a/gone"])
        disk._remover.close()


def test_a_failed_sync_behind_a_discard_fails_the_next_sync(
    disk: OsDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted: SimpleQueue[Exception | None] = SimpleQueue()
    file = disk.open("a/f", create=True)
    other = disk.open("a/g", create=True)
    disk.sync_now(other)
    break_directories(monkeypatch)
    disk.discard([file.path])
    disk._remover.close()
    disk.sync([other], posted.put)
    assert isinstance(posted.get(timeout=10), SyncFailed)
    disk.close()


def test_a_discard_that_fails_during_a_round_fails_that_round(
    disk: OsDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has taken the error that a sync of the same directory would have met otherwise."""
    posted: SimpleQueue[Exception | None] = SimpleQueue()
    file = disk.open("a/f", create=True)
    sync = OsFile.sync

    def fail_first(synced: OsFile) -> None:
        fail_a_discard(disk)
        sync(synced)

    monkeypatch.setattr(OsFile, "sync", fail_first)
    disk.sync([file], posted.put)
    assert isinstance(posted.get(timeout=10), SyncFailed)
    disk.close()


def test_a_failed_sync_behind_a_discard_fails_whatever_is_to_be_durable(disk: OsDisk) -> None:
    """A stop syncs what is left file by file, and then notes that all of it is on disk."""
    file = disk.open("a/f", create=True)
    fail_a_discard(disk)
    for _ in range(2):
        with pytest.raises(SyncFailed):
            disk.sync_now(file)
        with pytest.raises(SyncFailed):
            disk.replace_file("CLEAN", b"x")
    assert disk.list_directory("") == ["a/"]
    disk.replace_file("a/index", b"x", durable=False)
    disk.close()


@pytest.mark.parametrize("failing", [0, 7])
def test_sync_reports_the_failure_of_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    posted: SimpleQueue[Exception | None] = SimpleQueue()
    disk = OsDisk(str(tmp_path), sync_threads=3)
    files = [disk.open(str(number), create=True) for number in range(8)]
    original = OsFile.sync

    def sync(file: OsFile) -> None:
        if file.path == str(failing):
            raise OSError(errno.EIO, "the disk is broken")
        original(file)

    monkeypatch.setattr(OsFile, "sync", sync)
    disk.sync(files, posted.put)
    error = posted.get(timeout=10)
    assert isinstance(error, OSError)
    assert error.errno == errno.EIO
    disk.close()
    assert posted.empty()


def test_sync_of_a_closed_file_fails(disk: OsDisk) -> None:
    posted: SimpleQueue[Exception | None] = SimpleQueue()
    file = disk.open("a/f", create=True)
    file.close()
    file.close()
    disk.sync([file], posted.put)
    assert posted.get(timeout=10) is not None


def test_short_writes_are_completed(disk: OsDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    file = disk.open("a/f", create=True)

    def write_two(descriptor: int, buffers: Sequence[Buffer], position: int) -> int:
        return os.pwrite(descriptor, bytes(buffers[0])[:2], position)

    monkeypatch.setattr("os.pwritev", write_two)
    file.append([b"one", b"two"])
    assert file.size_bytes == 6
    assert file.read(0, 10) == b"onetwo"


def test_failed_append_leaves_the_size_and_can_be_cut_off(
    disk: OsDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = disk.open("a/f", create=True)
    file.append([b"good"])
    write = os.pwrite

    def write_two(descriptor: int, buffers: Sequence[Buffer], position: int) -> int:
        return write(descriptor, bytes(buffers[0])[:2], position)

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("os.pwritev", write_two)
    monkeypatch.setattr("os.pwrite", fail)
    with pytest.raises(OSError, match="full"):
        file.append([b"partly"])
    assert file.size_bytes == 4
    assert disk.size_bytes("a/f") == 6
    file.truncate(file.size_bytes)
    assert disk.read_file("a/f") == b"good"


def test_read_nowait_gives_up_when_pages_are_missing(
    disk: OsDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = disk.open("a/f", create=True)
    file.append([b"x" * 100])
    monkeypatch.setattr("os.preadv", lambda *_: 50)
    assert file.read_nowait(0, 100) is None
    assert file.read_nowait(50, 100) is not None

    def would_block(*_: object) -> int:
        raise BlockingIOError(errno.EAGAIN, "would block")

    monkeypatch.setattr("os.preadv", would_block)
    assert file.read_nowait(0, 100) is None

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr("os.preadv", fail)
    with pytest.raises(OSError, match="broken"):
        file.read_nowait(0, 100)


def test_a_file_that_nobody_refers_to_is_closed(disk: OsDisk) -> None:
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    file = disk.open("a/f", create=True)
    assert len(os.listdir("/proc/self/fd")) == before + 2  # and its directory, until it is synced
    del file
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_only_the_owner_may_read(disk: OsDisk, tmp_path: Path) -> None:
    disk.open("a/f", create=True)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "f").stat().st_mode) == 0o600


def test_a_file_of_another_disk_is_refused(disk: OsDisk) -> None:
    other = MemoryDisk()
    with pytest.raises(TypeError, match="another disk"):
        disk.sync([other.open("f", create=True)], lambda _: None)


def test_rewritten_bytes_stay_where_they_are(disk: OsDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    file = disk.open("a/f", create=True)
    file.append([b"0123456789"])
    written: list[tuple[int, bytes]] = []
    pwrite = os.pwrite

    def write_a_little(descriptor: int, data: memoryview, position: int) -> int:
        written.append((position, bytes(data[:3])))
        return pwrite(descriptor, data[:3], position)

    monkeypatch.setattr("os.pwrite", write_a_little)
    file.rewrite(2, b"23456789")
    assert written == [(2, b"234"), (5, b"567"), (8, b"89")]
    assert file.size_bytes == 10
    assert disk.read_file("a/f") == b"0123456789"


def test_pages_are_dropped_before_they_are_written_again(
    disk: OsDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = mmap.PAGESIZE
    file = disk.open("a/f", create=True)
    file.append([b"x" * (2 * page + 5)])
    calls: list[tuple[object, ...]] = []

    def note(_descriptor: int, position: int, size_bytes: int, _advice: int) -> None:
        calls.append((position, size_bytes, "dropped"))

    def write(_descriptor: int, data: memoryview, position: int) -> int:
        calls.append((position, len(data), "written"))
        return len(data)

    monkeypatch.setattr("tapemq_broker.storage.files._drop_pages", note)
    monkeypatch.setattr("os.pwrite", write)
    file.rewrite(page + 1, b"x" * (page + 4))
    assert calls == [(page, 2 * page, "dropped"), (page + 1, page + 4, "written")]
    calls.clear()
    file.drop_cache()
    assert calls == [(0, 0, "dropped")]


def test_dropping_pages_loses_nothing(disk: OsDisk) -> None:
    file = disk.open("a/f", create=True)
    file.append([b"0123456789"])
    file.drop_cache()
    assert file.read(0, 10) == b"0123456789"


def test_systems_that_cannot_drop_pages_write_them_all_the_same(
    disk: OsDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tapemq_broker.storage.files._drop_pages", None)
    file = disk.open("a/f", create=True)
    file.append([b"0123456789"])
    file.rewrite(0, b"0123456789")
    file.drop_cache()
    assert file.read(0, 10) == b"0123456789"


def test_a_directory_that_another_thread_makes_at_the_same_time_will_do(
    disk: OsDisk, synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.mkdir

    def make_second(path: str, mode: int) -> None:
        make(path, mode)
        make(path, mode)

    monkeypatch.setattr("os.mkdir", make_second)
    disk.make_directory("a/b")
    assert disk.list_directory("a") == ["b/"]
    assert synced[-1] == "a", "the other one may not have got to this sync yet"


def test_a_file_in_the_place_of_a_directory_will_not_do(disk: OsDisk) -> None:
    disk.replace_file("a/b", b"")
    with pytest.raises(FileExistsError):
        disk.make_directory("a/b")


def test_a_read_only_disk_reads_where_nothing_can_be_written(
    disk: OsDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.replace_file("a/f", b"content")
    make_read_only(tmp_path, monkeypatch)
    with pytest.raises(OSError, match="Read-only"):
        disk.open("a/f")
    reader = OsDisk(str(tmp_path), read_only=True)
    with closing(reader.open("a/f")) as file:
        assert (file.size_bytes, file.read(0, 7)) == (7, b"content")
        with pytest.raises(OSError, match="Bad file descriptor"):
            file.append([b"more"])
    with pytest.raises(OSError, match="Read-only"):
        reader.open("a/g", create=True)
    with pytest.raises(FileNotFoundError):
        reader.lock()
    assert os.listdir(tmp_path) == ["a"]


def test_readers_share_the_lock_that_a_writer_has_alone(tmp_path: Path) -> None:
    writer = OsDisk(str(tmp_path))
    readers = [OsDisk(str(tmp_path), read_only=True) for _ in range(2)]
    writer.lock()
    with pytest.raises(BlockingIOError):
        readers[0].lock()
    writer.close()
    for reader in readers:
        reader.lock()
    with pytest.raises(BlockingIOError):
        writer.lock()
    readers[0].close()
    with pytest.raises(BlockingIOError):
        writer.lock()
    readers[1].close()
    writer.lock()
    writer.close()
