import errno
import gc
from weakref import WeakSet

import pytest

from tapemq_broker.storage.index import Index
from tapemq_broker.storage.memory_disk import MemoryFile
from tapemq_broker.storage.segment_cache import Recent, SegmentCache
from tests.support.faulty_disk import FaultyDisk


@pytest.fixture
def disk() -> FaultyDisk:
    disk = FaultyDisk()
    for name in "abc":
        disk.open(name, create=True)
    disk.opened.clear()
    return disk


def test_the_least_recently_used_goes_first() -> None:
    recent: Recent[int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert [recent.get(key) for key in "abc"] == [1, None, 3]
    recent.drop("a", "nothing", "c")
    assert [recent.get(key) for key in "abc"] == [None, None, None]


def test_a_file_is_opened_once(disk: FaultyDisk) -> None:
    cache = SegmentCache(disk, files_max=2)
    assert cache.file_if_open("a") is None
    file = cache.file("a")
    assert cache.file("a") is cache.file_if_open("a") is file
    assert disk.opened == ["a"]


def test_few_files_stay_open(disk: FaultyDisk) -> None:
    cache = SegmentCache(disk, files_max=2)
    for name in "abc":
        cache.file(name)
    gc.collect()
    assert cache.file_if_open("a") is None
    assert cache.file_if_open("b") is not None


def test_a_file_in_use_is_never_opened_twice(disk: FaultyDisk) -> None:
    cache = SegmentCache(disk, files_max=1)
    used = cache.file("a")
    cache.file("b")
    cache.file("c")
    assert cache.file("a") is used
    assert disk.opened == ["a", "b", "c"]


def test_of_two_that_open_a_file_at_once_both_get_the_same(disk: FaultyDisk) -> None:
    cache = SegmentCache(disk)
    others = []

    def open_too(operation: str, path: str) -> None:
        disk.fail = lambda operation, path: None
        others.append(cache.file(path))

    disk.fail = open_too
    assert cache.file("a") is others[0]


def test_a_created_file_is_known(disk: FaultyDisk) -> None:
    cache = SegmentCache(disk)
    file = cache.create("d")
    assert cache.file("d") is file
    with pytest.raises(FileExistsError):
        cache.create("d")


def test_a_forgotten_file_is_opened_anew(disk: FaultyDisk) -> None:
    cache = SegmentCache(disk)
    file = cache.file("a")
    cache.forget(["a", "b"])
    assert cache.file_if_open("a") is None
    assert cache.file("a") is not file


def test_a_directory_is_forgotten_with_all_that_lay_in_it(disk: FaultyDisk) -> None:
    cache = SegmentCache(disk)
    for path in ("t/0/a.log", "t/0.groups/a.log", "t2/0/a.log"):
        disk.make_directory(path.rpartition("/")[0])
        cache.create(path)
        cache.indexes.put(path, Index())
    cache.forget_directory("t")
    gc.collect()
    known = [cache.file_if_open(p) for p in ("t/0/a.log", "t/0.groups/a.log", "t2/0/a.log")]
    assert [file is not None for file in known] == [False, False, True]
    assert [cache.indexes.get(p) is None for p in ("t/0/a.log", "t2/0/a.log")] == [True, False]


class FewFilesDisk(FaultyDisk):
    """No more than three files can be open."""

    def __init__(self) -> None:
        super().__init__()
        self.live: WeakSet[MemoryFile] = WeakSet()

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        if len(self.live) == 3:
            raise OSError(errno.EMFILE, "too many open files", path)
        file = super().open(path, create=create)
        self.live.add(file)
        return file


def test_files_that_nobody_uses_make_room_for_others() -> None:
    """Else readers were told that their segments cannot be read, for nothing."""
    disk = FewFilesDisk()
    for name in "abcd":
        disk.open(name, create=True)
    cache = SegmentCache(disk)
    used = cache.file("a")
    for name in "bcd":
        assert cache.file(name).path == name
    others = [cache.file("c"), cache.create("e")]
    assert cache.file("a") is used
    with pytest.raises(OSError, match="too many"):
        cache.file("b")
    del others
    assert cache.file("b").path == "b"
