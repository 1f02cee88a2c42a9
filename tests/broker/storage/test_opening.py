import errno

import pytest

from tapemq.batch import Kind
from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.errors import LogRefused
from tapemq_broker.storage.gap import Gap
from tapemq_broker.storage.index import Index
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.opening import Claims, Opened, open_log
from tapemq_broker.storage.paths import index_path, segment_path, state_path
from tapemq_broker.storage.record_log import LogSettings
from tapemq_broker.storage.segment_cache import SegmentCache
from tapemq_broker.storage.segment_reader import SegmentReader
from tests.support.disk_image import take_image
from tests.support.faulty_disk import FaultyDisk, failing
from tests.support.logs import DIRECTORY, LOG_ID, CountingObserver, batch_of, sync
from tests.support.raw_log import RawLog

NO_CLAIMS = Claims(None, 0, False)
SETTINGS = LogSettings(segment_bytes=600, index_interval_bytes=200)


class Setup:
    def __init__(self) -> None:
        self.disk = FaultyDisk()
        self.log = Log.open(self.disk, DIRECTORY, LOG_ID, settings=SETTINGS, now_us=1)
        for number in range(10):
            self.log.append(batch_of(b"%02d" % number), 100 * number)
            sync(self.log, self.disk)

    def open(self, claims: Claims = NO_CLAIMS) -> Opened:
        cache = SegmentCache(self.disk)
        return open_log(cache, DIRECTORY, LOG_ID, None, 200, claims, now_us=5)


@pytest.fixture
def setup() -> Setup:
    return Setup()


def test_what_is_known_of_segments_comes_back(setup: Setup) -> None:
    setup.log.mark(2000)
    sync(setup.log, setup.disk)
    opened = setup.open()
    assert [segment.info() for segment in opened.segments] == setup.log.segments()
    before = [segment.last_position for segment in setup.log._segments]
    assert [segment.last_position for segment in opened.segments] == before
    assert not any(segment.is_dirty for segment in opened.segments)
    assert opened.recovered.end == setup.log._end


def test_an_empty_last_segment_has_the_time_of_the_log(setup: Setup) -> None:
    setup.log.roll()
    sync(setup.log, setup.disk)
    last = setup.open().segments[-1]
    assert (last.base_offset, last.last_append_time_us) == (10, 900)


def test_only_the_last_segment_keeps_its_index_in_memory(setup: Setup) -> None:
    indexes = [segment.index for segment in setup.open().segments]
    assert indexes[:-1] == [None] * (len(indexes) - 1)
    assert isinstance(indexes[-1], Index)
    assert len(indexes[-1]) == 1


def test_the_index_of_a_clean_stop_is_taken(setup: Setup) -> None:
    setup.log.append(batch_of(b"10"), 1000)
    expected = setup.log._segments[-1].index
    assert expected is not None
    claims = Claims(setup.log.close(clean=True, now_us=2000), 0, True)
    found = setup.open(claims).segments[-1].index
    assert found is not None
    assert len(found) == len(expected)
    setup.disk.remove(index_path(DIRECTORY, 8))
    again = setup.open(claims).segments[-1].index
    assert again is not None
    assert again.find(10) == (0, 8)


def test_a_segment_that_cannot_be_read_is_refused_by_its_name(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a clean stop nothing reads it but whoever makes its lost index anew."""
    claims = Claims(setup.log.close(clean=True, now_us=2000), 0, True)
    setup.disk.remove(index_path(DIRECTORY, 8))

    def fail(*_: object, **__: object) -> Index:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(SegmentReader, "load_index", fail)
    with pytest.raises(LogRefused, match=r"cannot be read.*Check the disk") as caught:
        setup.open(claims)
    assert (caught.value.row, caught.value.segment) == ("UNREADABLE", segment_path(DIRECTORY, 8))


@pytest.mark.parametrize("base", [0, 4, 8])
@pytest.mark.parametrize("is_clean", [True, False])
def test_a_segment_that_cannot_be_opened_refuses_the_log_alone(
    setup: Setup, base: int, is_clean: bool
) -> None:
    claims = Claims(setup.log.close(clean=True, now_us=2000), 0, True) if is_clean else NO_CLAIMS
    before = take_image(setup.disk)
    setup.disk.fail = failing("open", errno.EIO, path=segment_path(DIRECTORY, base))
    with pytest.raises(LogRefused, match=r"cannot be read.*open fails.*Check the disk") as caught:
        setup.open(claims)
    assert caught.value.row == "UNREADABLE"
    setup.disk.fail = lambda operation, path: None
    assert take_image(setup.disk) == before
    setup.disk.fail = failing("open", errno.EMFILE, path=segment_path(DIRECTORY, base))
    with pytest.raises(OSError, match="open fails"):  # no fault of this log
        setup.open(claims)


def test_a_state_that_cannot_be_read_is_done_without(setup: Setup) -> None:
    setup.disk.replace_file(state_path(DIRECTORY, 10), b"x")
    setup.disk.fail = failing("open", errno.EIO, path=".state")
    observer = CountingObserver()
    open_log(SegmentCache(setup.disk), DIRECTORY, LOG_ID, observer, 200, NO_CLAIMS, now_us=5)
    assert observer.records == 10


def test_scanned_segments_are_sealed(setup: Setup) -> None:
    for base in (0, 4):
        setup.disk.remove(index_path(DIRECTORY, base))
    assert setup.open().recovered.tail_base == 0
    again = setup.open()
    assert again.recovered.tail_base == 8
    for base, segment in ((0, again.segments[0]), (4, again.segments[1])):
        decoded = Index.decode(setup.disk.read_file(index_path(DIRECTORY, base)) or b"")
        assert decoded is not None
        seal, _ = decoded
        assert (seal.complete, seal.size_bytes) == (True, segment.size_bytes)
        assert (seal.end.next_offset, seal.last_position) == (base + 4, segment.last_position)


def test_indexes_made_anew_at_opening_are_synced_at_once_and_not_held(setup: Setup) -> None:
    """After a repair all are made anew: a log of thousands of segments would hold them all open."""
    paths = [index_path(DIRECTORY, base) for base in (0, 4)]
    for path in paths:
        setup.disk.remove(path)
    log = Log.open(setup.disk, DIRECTORY, LOG_ID, settings=SETTINGS, now_us=1)
    assert log.begin_sync().files == []
    setup.disk.power_cut()
    assert all(Index.decode(setup.disk.read_file(path) or b"") for path in paths)


def test_states_that_belong_to_no_segment_are_removed(setup: Setup) -> None:
    for offset in (8, 9):
        setup.disk.replace_file(state_path(DIRECTORY, offset), b"")
    setup.open()
    assert setup.disk.size_bytes(state_path(DIRECTORY, 8)) == 0
    assert setup.disk.size_bytes(state_path(DIRECTORY, 9)) is None


def test_a_new_log_has_one_empty_segment() -> None:
    disk = FaultyDisk()
    opened = open_log(SegmentCache(disk), DIRECTORY, LOG_ID, None, 1, NO_CLAIMS, 5)
    assert [segment.info() for segment in opened.segments] == [(0, 0, 0, 0)]
    assert disk.size_bytes(segment_path(DIRECTORY, 0)) == 0


def test_states_that_a_crash_has_left_are_synced_at_once_and_not_held(setup: Setup) -> None:
    """An idle log would keep them open until it is written to: thousands need many descriptors."""
    path = state_path(DIRECTORY, 0)
    setup.disk.replace_file(path, b"any state", durable=False)
    opened = setup.open()
    assert opened.recovered.row is not Row.CLEAN
    setup.disk.power_cut()
    assert setup.disk.read_file(path) == b"any state"


def test_a_state_that_cannot_be_opened_is_passed_over(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.disk.replace_file(state_path(DIRECTORY, 0), b"any state")
    open_file = setup.disk.open

    def open_logs_only(path: str, *, create: bool = False) -> MemoryFile:
        if path.endswith(".state"):
            raise OSError(errno.EIO, "no")
        return open_file(path, create=create)

    monkeypatch.setattr(setup.disk, "open", open_logs_only)
    assert setup.open().recovered.end.next_offset == setup.log.next_offset


def test_no_file_left_to_be_opened_leaves_no_state_in_the_page_cache_only(setup: Setup) -> None:
    setup.disk.replace_file(state_path(DIRECTORY, 0), b"any state", durable=False)
    setup.disk.fail = failing("open", errno.EMFILE, path=".state")
    with pytest.raises(OSError, match="open fails"):
        setup.open()


def test_a_segment_that_ends_with_a_gap_is_left_without_an_index() -> None:
    """What its end is, the gap does not say."""
    raw = RawLog(MemoryDisk())
    raw.data(b"a")
    raw.append(Kind.GAP, 0, Gap(5, 9, 42, "given up").encode())
    raw.roll()
    raw.data(b"b")
    raw.synced()
    opened = open_log(SegmentCache(raw.disk), DIRECTORY, LOG_ID, None, 200, NO_CLAIMS, now_us=5)
    assert [segment.base_offset for segment in opened.segments] == [0, 5]
    assert raw.disk.read_file(index_path(DIRECTORY, 0)) is None
