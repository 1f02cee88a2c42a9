import errno
import gc
from typing import Any

import pytest

from tapemq.batch import Header, Kind, LogId, Role
from tapemq_broker.storage.errors import CorruptLog
from tapemq_broker.storage.index import Index
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.memory_disk import MemoryFile
from tapemq_broker.storage.paths import index_path, segment_path
from tapemq_broker.storage.record_log import LogSettings
from tapemq_broker.storage.segment import Segment
from tapemq_broker.storage.segment_cache import SegmentCache
from tapemq_broker.storage.segment_reader import QUICK_BYTES_MAX, SegmentReader, WouldWait
from tests.support.faulty_disk import FaultyDisk, failing
from tests.support.logs import DIRECTORY, LOG_ID, batch_of, read_all, sync

SETTINGS = LogSettings(segment_bytes=2000, index_interval_bytes=300)


class Setup:
    """A sealed segment of many small batches, and one behind it."""

    def __init__(self) -> None:
        self.disk = FaultyDisk()
        self.cache = SegmentCache(self.disk)
        self.log = Log.open(
            self.disk, DIRECTORY, LOG_ID, settings=SETTINGS, now_us=1, cache=self.cache
        )
        for number in range(18):
            self.log.append(batch_of(b"%02d" % number), 100 * number)
            sync(self.log, self.disk)
        self.sealed = self.log._segments[0]

    def reader(self) -> SegmentReader:
        return SegmentReader(self.cache, LOG_ID, self.sealed)

    def forget(self) -> None:
        self.cache.forget([self.sealed.path])
        self.cache.indexes.drop(self.sealed.index_path)


@pytest.fixture
def setup() -> Setup:
    return Setup()


def positions(setup: Setup) -> list[int]:
    return [setup.reader().position_of(offset, wait=True) for offset in range(14)]


def batch_bytes(setup: Setup) -> int:
    return setup.sealed.size_bytes // setup.sealed.next_offset


def test_entries_are_known_without_the_disk_or_not_at_all(setup: Setup) -> None:
    expected = list(setup.reader().entries(wait=False))
    assert len(expected) > 2
    setup.forget()
    assert list(setup.reader().entries(wait=False)) == []
    assert list(setup.reader().entries(wait=True)) == expected


def test_every_offset_has_its_place(setup: Setup) -> None:
    assert setup.sealed.next_offset == 14
    assert positions(setup) == [number * batch_bytes(setup) for number in range(14)]
    assert setup.reader().position_of(14, wait=True) == setup.sealed.size_bytes


def test_every_time_has_its_offset(setup: Setup) -> None:
    for number in range(14):
        assert setup.reader().offset_at(100 * number) == number
        assert setup.reader().offset_at(100 * number + 1) == number + 1


def test_an_index_that_cannot_be_read_is_made_anew(setup: Setup) -> None:
    expected = positions(setup)
    setup.forget()
    setup.disk.fail = failing("open", errno.EIO, path=".index")
    assert positions(setup) == expected


@pytest.mark.parametrize("content", [None, b"", b"TMQI damaged"])
def test_an_index_that_is_missing_or_damaged_is_made_anew(
    setup: Setup, content: bytes | None
) -> None:
    expected = positions(setup)
    setup.disk.remove(index_path(DIRECTORY, 0))
    if content is not None:
        setup.disk.replace_file(index_path(DIRECTORY, 0), content)
    setup.forget()
    assert positions(setup) == expected
    assert setup.cache.indexes.get(index_path(DIRECTORY, 0)) is not None


@pytest.mark.parametrize(
    "changes", [{"log_id": LogId(8, 0, Role.DATA)}, {"base_offset": 1}, {"size_bytes": 10_000}]
)
def test_an_index_of_something_else_is_made_anew(setup: Setup, changes: dict[str, Any]) -> None:
    expected = positions(setup)
    path = index_path(DIRECTORY, 0)
    decoded = Index.decode(setup.disk.read_file(path) or b"")
    assert decoded is not None
    wrong = Index()
    wrong.add(Header(Kind.DATA, 0, LOG_ID, 0, 1, 3, 3, 300, 0, 0, 0, 0, 0), 7, 1)
    setup.disk.replace_file(path, wrong.encode(decoded[0]._replace(**changes)))
    setup.forget()
    assert positions(setup) == expected


def test_without_an_index_all_before_damage_is_found(setup: Setup) -> None:
    setup.disk.remove(index_path(DIRECTORY, 0))
    setup.forget()
    file = setup.disk.open(segment_path(DIRECTORY, 0))
    assert isinstance(file, MemoryFile)
    file.content.now[5 * batch_bytes(setup) + 20] ^= 1
    assert setup.reader().position_of(4, wait=True) == 4 * batch_bytes(setup)
    for offset in (5, 13):
        with pytest.raises(CorruptLog) as caught:
            setup.reader().position_of(offset, wait=True)
        assert caught.value.position == 5 * batch_bytes(setup)
        assert caught.value.from_offset == 5


def test_with_an_index_what_is_behind_damage_is_found_too(setup: Setup) -> None:
    file = setup.disk.open(segment_path(DIRECTORY, 0))
    assert isinstance(file, MemoryFile)
    file.content.now[20] ^= 1
    assert setup.reader().position_of(13, wait=True) == 13 * batch_bytes(setup)
    with pytest.raises(CorruptLog):
        setup.reader().position_of(0, wait=True)
    assert read_all(setup.log, 14) == [(number, b"%02d" % number) for number in range(14, 18)]


def test_who_may_not_wait_does_not(setup: Setup) -> None:
    reader = setup.reader()
    assert bytes(reader.read(0, 4, wait=False)) == b"TMQB"
    with pytest.raises(WouldWait):
        SegmentReader(setup.cache, LOG_ID, large(setup)).read(0, QUICK_BYTES_MAX + 1, wait=False)
    setup.cache.indexes.drop(setup.sealed.index_path)
    with pytest.raises(WouldWait):
        reader.position_of(3, wait=False)
    assert reader.position_of(3, wait=True) == reader.position_of(3, wait=False)
    setup.disk.is_cold = True
    with pytest.raises(WouldWait):
        reader.read(0, 4, wait=False)
    setup.cache.forget([setup.sealed.path])
    setup.disk.is_cold = False
    with pytest.raises(WouldWait):
        reader.read(0, 4, wait=False)
    assert bytes(reader.read(0, 4, wait=True)) == b"TMQB"


def large(setup: Setup) -> Segment:
    segment = Segment(DIRECTORY, 0, 0)
    segment.size_bytes = 2 * QUICK_BYTES_MAX
    return segment


@pytest.mark.parametrize(("source", "target"), [(5, 0), (5, 4), (1, 5), (0, 13), (12, 13)])
def test_a_sound_batch_in_the_place_of_another_one_is_damage(
    setup: Setup, source: int, target: int
) -> None:
    file, size = setup.disk.open(segment_path(DIRECTORY, 0)), batch_bytes(setup)
    assert isinstance(file, MemoryFile)
    content = file.content.now
    content[target * size : (target + 1) * size] = content[source * size : (source + 1) * size]
    for has_index in (True, False):
        if not has_index:
            setup.disk.remove(setup.sealed.index_path)
            setup.forget()
        with pytest.raises(CorruptLog) as caught:
            setup.reader().position_of(target, wait=True)
        assert caught.value.position == target * size
        assert caught.value.from_offset == target


def test_a_file_that_is_too_short_is_damage(setup: Setup) -> None:
    setup.disk.open(segment_path(DIRECTORY, 0)).truncate(100)
    for wait in (False, True):
        with pytest.raises(CorruptLog, match="end of the file is missing"):
            setup.reader().read(90, 20, wait)


def test_a_removed_file_is_not_found(setup: Setup) -> None:
    reader = setup.reader()
    setup.forget()
    setup.disk.remove(setup.sealed.path)
    with pytest.raises(FileNotFoundError):
        reader.read(0, 4, wait=True)


def test_a_removed_file_that_was_read_meanwhile_is_closed(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are removed one by one in the background. As long as a reader has one opened again, a
    full disk does not get its bytes back."""
    removed: list[str] = []
    monkeypatch.setattr(setup.disk, "discard", removed.extend)
    reader = setup.reader()
    setup.log.truncate_front(18)
    assert setup.sealed.path in removed
    assert len(reader.read(0, 100, wait=True)) == 100
    gc.collect()
    assert setup.cache.file_if_open(setup.sealed.path) is None
