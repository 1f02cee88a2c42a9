"""What every disk promises, asked of the real one and of the one in memory."""

from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import pytest

from tapemq_broker.storage.disk import Disk, File
from tapemq_broker.storage.files import OsDisk
from tapemq_broker.storage.memory_disk import MemoryDisk

Posted = SimpleQueue[Callable[[], None]]


@pytest.fixture
def posted() -> Posted:
    return SimpleQueue()


@pytest.fixture(params=["os", "memory"])
def disk(request: pytest.FixtureRequest, tmp_path: Path, posted: Posted) -> Disk:
    if request.param == "memory":
        return MemoryDisk(post=posted.put)
    return OsDisk(str(tmp_path / "data"), post=posted.put)


@pytest.fixture
def file(disk: Disk) -> File:
    disk.make_directory("a")
    return disk.open("a/f", create=True)


def test_append_adds_all_buffers_at_the_end(disk: Disk, file: File) -> None:
    file.append([b"one", bytearray(b"two"), memoryview(b"three")])
    file.append([b"four"])
    assert file.size_bytes == 15
    assert bytes(file.read(0, 100)) == b"onetwothreefour"
    assert disk.open("a/f").size_bytes == 15
    assert file.path == "a/f"


def test_read_is_short_only_at_the_end(file: File) -> None:
    file.append([b"0123456789"])
    assert bytes(file.read(2, 3)) == b"234"
    assert bytes(file.read(8, 3)) == b"89"
    assert bytes(file.read(10, 3)) == b""
    assert bytes(file.read(11, 3)) == b""


def test_read_nowait_finds_what_was_just_written(file: File) -> None:
    file.append([b"0123456789"])
    for position, size_bytes in ((0, 10), (2, 3), (8, 3), (10, 3)):
        found = file.read_nowait(position, size_bytes)
        assert found is not None
        assert found == file.read(position, size_bytes)


def test_truncate_cuts_and_append_goes_on_there(file: File) -> None:
    file.append([b"0123456789"])
    file.truncate(4)
    assert file.size_bytes == 4
    file.append([b"x"])
    assert bytes(file.read(0, 100)) == b"0123x"


def test_create_refuses_an_existing_file_and_open_a_missing_one(disk: Disk, file: File) -> None:
    with pytest.raises(FileExistsError):
        disk.open("a/f", create=True)
    with pytest.raises(FileNotFoundError):
        disk.open("a/g")


def test_two_handles_see_the_same_bytes(disk: Disk, file: File) -> None:
    file.append([b"0123456789"])
    other = disk.open("a/f")
    other.append([b"x"])
    assert bytes(file.read(0, 100)) == b"0123456789x"


def test_sync_reports_later_and_once(disk: Disk, file: File, posted: Posted) -> None:
    results: list[Exception | None] = []
    others = [disk.open(f"a/{number}", create=True) for number in range(9)]
    disk.sync([file, *others], results.append)
    assert results == []
    posted.get(timeout=10)()
    assert results == [None]
    disk.close()
    assert posted.empty()


def test_sync_of_nothing_reports_too(disk: Disk, posted: Posted) -> None:
    results: list[Exception | None] = []
    disk.sync([], results.append)
    posted.get(timeout=10)()
    assert results == [None]


def test_list_directory_is_sorted_and_marks_directories(disk: Disk, file: File) -> None:
    disk.make_directory("a/d/e")
    disk.replace_file("a/b", b"")
    assert disk.list_directory("a") == ["b", "d/", "f"]
    assert disk.list_directory("") == ["a/"]
    assert disk.list_directory("nowhere") == []


def test_make_directory_does_no_harm_twice(disk: Disk, file: File) -> None:
    disk.make_directory("a")
    disk.make_directory("")
    assert disk.list_directory("a") == ["f"]


def test_small_files_are_replaced_whole(disk: Disk) -> None:
    disk.make_directory("")
    assert disk.read_file("f") is None
    disk.replace_file("f", b"first and long")
    disk.replace_file("f", b"second", durable=False)
    assert disk.read_file("f") == b"second"
    assert disk.size_bytes("f") == 6
    assert disk.list_directory("") == ["f"]


def test_rename_takes_the_place_of_the_target(disk: Disk, file: File) -> None:
    file.append([b"content"])
    disk.replace_file("a/g", b"old")
    disk.rename("a/f", "a/g")
    disk.sync_directory("a")
    assert disk.list_directory("a") == ["g"]
    assert disk.read_file("a/g") == b"content"
    with pytest.raises(FileNotFoundError):
        disk.rename("a/f", "a/h")


def test_remove_takes_files_and_empty_directories_only(disk: Disk, file: File) -> None:
    disk.make_directory("a/d")
    disk.remove("a/d")
    disk.remove("a/nothing")
    disk.remove("nowhere/nothing")
    with pytest.raises(OSError, match="not empty"):
        disk.remove("a")
    disk.remove("a/f")
    disk.remove("a")
    assert disk.list_directory("") == []
    assert disk.size_bytes("a/f") is None


def test_a_removed_file_can_be_read_by_who_has_it_open(disk: Disk, file: File) -> None:
    file.append([b"content"])
    disk.remove("a/f")
    assert bytes(file.read(0, 100)) == b"content"


def test_discard_removes_files_in_the_background(disk: Disk, file: File) -> None:
    disk.replace_file("a/g", b"")
    disk.replace_file("a/h", b"")
    disk.discard(["a/f", "a/nothing", "a/g"])
    disk.close()
    assert disk.list_directory("a") == ["h"]


def test_lock_lasts_until_close(disk: Disk, tmp_path: Path) -> None:
    disk.make_directory("")
    disk.lock()
    other = disk if isinstance(disk, MemoryDisk) else OsDisk(str(tmp_path / "data"))
    with pytest.raises(BlockingIOError):
        other.lock()
    disk.close()
    other.lock()
    other.close()


def test_space_is_known(disk: Disk) -> None:
    disk.make_directory("")
    assert 0 < disk.free_bytes() <= disk.total_bytes()
