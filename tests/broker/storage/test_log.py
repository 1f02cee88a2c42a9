import errno
from contextlib import suppress
from typing import Any

import pytest

from tapemq.batch import BODY_BYTES_MAX, HEADER_BYTES, Kind
from tapemq_broker.storage.errors import LogFailed, LogFull, LogRefused, NoFiles
from tapemq_broker.storage.index import Index
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.paths import index_path, segment_path
from tapemq_broker.storage.record_log import LogSettings, NewBatch
from tapemq_broker.storage.segment import Segment
from tapemq_broker.storage.segment_cache import SegmentCache
from tapemq_broker.storage.segment_reader import SegmentReader
from tests.support.faulty_disk import FaultyDisk, failing
from tests.support.logs import DIRECTORY, LOG_ID, batch_of, read_all, sync

SETTINGS = LogSettings(segment_bytes=1000, index_interval_bytes=200)
FULL = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG]
RECORD = batch_of(b"x" * 300)
"""Two of these fit in a segment."""
RECORD_BYTES = HEADER_BYTES + len(RECORD.body)


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
def log(disk: FaultyDisk) -> Log:
    return open_log(disk)


def open_log(disk: FaultyDisk, cache: SegmentCache | None = None) -> Log:
    return Log.open(disk, DIRECTORY, LOG_ID, settings=SETTINGS, now_us=1, cache=cache)


def names(disk: FaultyDisk) -> list[str]:
    return [name.lstrip("0") for name in disk.list_directory(DIRECTORY)]


@pytest.mark.parametrize("number", FULL)
def test_a_full_disk_changes_nothing_and_can_be_tried_again(
    disk: FaultyDisk, log: Log, number: int
) -> None:
    log.append(batch_of(b"good"), 5)
    size_bytes = log.size_bytes
    disk.fail = failing("append", number)
    for _ in range(2):
        with pytest.raises(LogFull, match="append fails"):
            log.append(batch_of(b"refused"), 9)
    assert (log.next_offset, log.size_bytes, log.last_append_time_us) == (1, size_bytes, 5)
    assert disk.size_bytes(segment_path(DIRECTORY, 0)) == size_bytes
    disk.fail = lambda operation, path: None
    assert log.append(batch_of(b"again"), 6) == 1
    assert read_all(log, 0) == [(0, b"good"), (1, b"again")]


@pytest.mark.parametrize("number", FULL)
def test_a_disk_too_full_for_a_new_segment_changes_nothing(
    disk: FaultyDisk, log: Log, number: int
) -> None:
    for _ in range(2):
        log.append(RECORD, 5)
    disk.fail = failing("create", number)
    with pytest.raises(LogFull, match="create fails"):
        log.append(RECORD, 6)
    assert (log.next_offset, len(log.segments())) == (2, 1)
    disk.fail = lambda operation, path: None
    assert log.append(RECORD, 6) == 2
    assert len(log.segments()) == 2


def test_no_more_files_change_nothing_and_can_be_tried_again(disk: FaultyDisk) -> None:
    """Not even what a mark has left to be synced, in a file that was closed since, is stuck."""
    log = open_log(disk, SegmentCache(disk, files_max=0))
    for number in range(2):
        log.append(RECORD, number)
        sync(log, disk)
    log.mark(5)

    def no_files(operation: str, path: str) -> None:
        if operation in ("open", "create"):
            raise OSError(errno.EMFILE, "no more files", path)

    disk.fail = no_files
    for _ in range(2):
        with pytest.raises(NoFiles, match="no more files"):
            log.append(RECORD, 6)
    disk.fail = failing("create", errno.EMFILE)
    with pytest.raises(NoFiles, match="create fails"):
        log.append(RECORD, 6)
    disk.fail = lambda operation, path: None
    log.append(RECORD, 6)
    disk.fail = no_files
    assert sync(log, disk) == 3
    disk.fail = lambda operation, path: None
    assert [offset for offset, _ in read_all(log, 0)] == [0, 1, 2]


def test_a_disk_that_fills_up_behind_a_roll_keeps_the_new_segment(
    disk: FaultyDisk, log: Log
) -> None:
    for _ in range(2):
        log.append(RECORD, 5)
    sync(log, disk)
    disk.fail = failing("append", errno.ENOSPC)
    with pytest.raises(LogFull):
        log.append(RECORD, 6)
    disk.fail = lambda operation, path: None
    assert [info[:2] for info in log.segments()] == [(0, 2), (2, 2)]
    assert log.is_dirty, "the new segment's name may not be on disk"
    assert sync(log, disk) == 2
    assert disk.read_file(index_path(DIRECTORY, 0)) is not None
    assert log.append(RECORD, 6) == 2


@pytest.mark.parametrize("operation", ["append", "create", "open"])
def test_any_other_failure_ends_the_log(disk: FaultyDisk, operation: str) -> None:
    log = open_log(disk, SegmentCache(disk, files_max=0))
    for _ in range(2 if operation == "create" else 1):
        log.append(RECORD, 5)
    sync(log, disk)
    disk.fail = failing(operation, errno.EIO)
    with pytest.raises(LogFailed, match=f"{operation} fails"):
        log.append(RECORD, 6)
    disk.fail = lambda operation, path: None
    with pytest.raises(LogFailed, match=f"{operation} fails"):
        log.append(RECORD, 6)
    with pytest.raises(LogFailed, match=f"{operation} fails"):
        log.roll()


def test_a_failed_write_that_cannot_be_undone_ends_the_log(disk: FaultyDisk, log: Log) -> None:
    def fail(operation: str, path: str) -> None:
        if operation == "append":
            raise OSError(errno.ENOSPC, "full")
        if operation == "truncate":
            raise OSError(errno.EIO, "broken")

    disk.fail = fail
    with pytest.raises(LogFailed, match="cut back"):
        log.append(RECORD, 5)


def test_a_file_that_somebody_else_changed_ends_the_log(disk: FaultyDisk) -> None:
    log = open_log(disk, SegmentCache(disk, files_max=0))
    log.append(RECORD, 5)
    sync(log, disk)
    disk.open(segment_path(DIRECTORY, 0)).append([b"foreign"])
    with pytest.raises(LogFailed, match="something else"):
        log.append(RECORD, 6)


@pytest.mark.parametrize(
    "batch",
    [
        NewBatch(Kind.DATA, 0, b"", 0),
        NewBatch(Kind.DATA, 65_536, b"", 0),
        NewBatch(Kind.DATA, 1, memoryview(bytes(BODY_BYTES_MAX + 1)), 0),
    ],
)
def test_a_batch_that_nobody_could_read_is_refused(log: Log, batch: NewBatch) -> None:
    with pytest.raises(ValueError, match="a batch of"):
        log.append(batch, 5)
    assert log.size_bytes == 0


def test_a_round_syncs_the_old_segment_and_the_new_one(disk: FaultyDisk, log: Log) -> None:
    for _ in range(3):
        log.append(RECORD, 5)
    target = log.begin_sync()
    assert [file.path for file in target.files] == [
        segment_path(DIRECTORY, 0),
        segment_path(DIRECTORY, 2),
    ]
    disk.synced.clear()
    sync(log, disk)
    log.append(batch_of(b"x"), 6)
    sync(log, disk)
    assert disk.synced[2:] == [segment_path(DIRECTORY, 2), index_path(DIRECTORY, 0)]


def test_a_clean_segment_is_not_synced(disk: FaultyDisk, log: Log) -> None:
    log.append(RECORD, 5)
    sync(log, disk)
    assert log.begin_sync().files == []


def test_a_segment_is_sealed_by_a_round_that_began_behind_the_roll(
    disk: FaultyDisk, log: Log
) -> None:
    log.append(RECORD, 5)
    early = log.begin_sync()
    for _ in range(2):
        log.append(RECORD, 5)
    log.mark_durable(early)
    assert log.durable_offset == 1
    assert names(disk) == [".log", "2.log"]
    sync(log, disk)
    decoded = Index.decode(disk.read_file(index_path(DIRECTORY, 0)) or b"")
    assert decoded is not None
    assert (decoded[0].complete, decoded[0].end.next_offset) == (True, 2)


def test_the_next_roll_waits_until_the_last_one_is_durable(disk: FaultyDisk, log: Log) -> None:
    for _ in range(7):
        log.append(RECORD, 5)
    assert [info.base_offset for info in log.segments()] == [0, 2]
    assert not log.roll()
    sync(log, disk)
    log.append(RECORD, 5)
    assert [info.base_offset for info in log.segments()] == [0, 2, 7]


def test_an_index_that_cannot_be_written_is_done_without(disk: FaultyDisk, log: Log) -> None:
    disk.fail = failing("create", errno.ENOSPC, path=".index")
    for _ in range(4):
        log.append(RECORD, 5)
        sync(log, disk)
    assert not [name for name in names(disk) if name.endswith(".index")]
    assert len(read_all(log, 0)) == 4
    assert len(read_all(open_log(disk), 0)) == 4


def test_idle_logs_hold_no_file(disk: FaultyDisk) -> None:
    cache = SegmentCache(disk, files_max=0)
    log = open_log(disk, cache)
    path = segment_path(DIRECTORY, 0)
    log.append(RECORD, 5)
    assert cache.file_if_open(path) is not None, "a file that is not synced must stay open"
    sync(log, disk)
    assert cache.file_if_open(path) is None
    log.mark(6)
    assert cache.file_if_open(path) is None
    disk.synced.clear()
    sync(log, disk)
    assert disk.synced == [path]


def test_a_log_is_dirty_until_all_of_it_is_durable(disk: FaultyDisk, log: Log) -> None:
    seen = [log.is_dirty]
    for act in (lambda: log.append(RECORD, 5), lambda: sync(log, disk), lambda: log.mark(6)):
        act()
        seen.append(log.is_dirty)
    log.close(clean=True, now_us=7)
    assert [*seen, log.is_dirty] == [False, True, False, True, False]


def test_removed_segments_leave_no_files(disk: FaultyDisk, log: Log) -> None:
    for _ in range(9):
        log.append(RECORD, 5)
        sync(log, disk)
    log.truncate_front(6)
    assert names(disk) == ["6.index", "6.log", "8.log"]
    assert [info.base_offset for info in open_log(disk).segments()] == [6, 8]


@pytest.mark.parametrize("calls", range(1, 14))
def test_a_removal_that_is_interrupted_leaves_no_hole(
    disk: FaultyDisk, log: Log, calls: int
) -> None:
    for _ in range(9):
        log.append(RECORD, 5)
        sync(log, disk)
    left = calls

    def fail(operation: str, path: str) -> None:
        nonlocal left
        left -= operation == "remove"
        if left == 0:
            raise InterruptedError

    disk.fail = fail
    with suppress(InterruptedError):
        log.truncate_front(9)
    disk.fail = lambda operation, path: None
    disk.power_cut()
    bases = [info.base_offset for info in open_log(disk).segments()]
    assert bases == [0, 2, 4, 6, 8][(calls - 1) // 3 :]


@pytest.mark.parametrize(
    ("has_mark", "asked"),
    [(False, "last_append_time_us"), (True, "size_bytes"), (True, "next_offset")],
)
def test_what_is_appended_while_a_time_is_looked_up_is_not_passed_over(
    disk: FaultyDisk, log: Log, monkeypatch: pytest.MonkeyPatch, has_mark: bool, asked: str
) -> None:
    """The look-up runs in a thread. A mark has a time, too, and no record."""
    log.append(RECORD, 100)
    sync(log, disk)
    if has_mark:
        log.mark(200)
    races = False

    class Racing(Segment):
        """Somebody appends when something of it was asked for."""

        def __getattribute__(self, name: str) -> Any:
            nonlocal races
            found = super().__getattribute__(name)
            if name == asked and races:
                races = False
                log.append(RECORD, 300)
            return found

    racing = Racing(DIRECTORY, 0, 0)
    for name in ("size_bytes", "next_offset", "last_append_time_us", "index", "_held"):
        setattr(racing, name, getattr(log._segments[0], name))
    monkeypatch.setattr(log, "_segments", [racing])
    races = True
    assert log.offset_at(150) == 1
    assert log.next_offset == 2


def test_what_was_just_sealed_can_be_read_without_waiting(disk: FaultyDisk, log: Log) -> None:
    for _ in range(3):
        log.append(RECORD, 5)
    sync(log, disk)
    disk.fail = lambda operation, path: pytest.fail("the disk is touched")
    assert log.plan(1, upto=2, max_bytes=1000).run(wait=False) is not None


def test_the_log_epoch_tells_of_a_cut(disk: FaultyDisk, log: Log) -> None:
    log.append(RECORD, 5)
    sync(log, disk)
    disk.open(segment_path(DIRECTORY, 0)).append([b"TMQB torn"])
    again = open_log(disk)
    assert again.log_epoch == 1
    again.append(RECORD, 6)
    assert open_log(disk).log_epoch == 1


def test_a_log_that_must_exist_is_refused_without_its_files(disk: FaultyDisk) -> None:
    with pytest.raises(LogRefused):
        Log.open(disk, DIRECTORY, LOG_ID, now_us=1, must_exist=True)


def test_a_position_behind_the_end_refuses_the_log(disk: FaultyDisk, log: Log) -> None:
    log.append(RECORD, 5)
    with pytest.raises(LogRefused):
        Log.open(disk, DIRECTORY, LOG_ID, now_us=1, durable_floor=2)


def test_marks_count_as_bytes_only(disk: FaultyDisk, log: Log) -> None:
    log.append(RECORD, 5)
    sync(log, disk)
    size_bytes = log.size_bytes
    log.mark(6)
    assert (log.next_offset, log.size_bytes) == (1, size_bytes + HEADER_BYTES)


def test_segments_are_of_another_size_from_now_on(log: Log) -> None:
    log.append(RECORD, 5)
    log.resize_segments(RECORD_BYTES)
    log.append(RECORD, 5)
    log.resize_segments(2 * RECORD_BYTES)
    log.append(RECORD, 5)
    assert [segment.size_bytes for segment in log.segments()] == [RECORD_BYTES, 2 * RECORD_BYTES]


def test_a_time_in_a_segment_that_is_removed_meanwhile_is_where_the_log_begins(
    disk: FaultyDisk, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise FileNotFoundError

    log.append(RECORD, 5)
    monkeypatch.setattr(SegmentReader, "offset_at", fail)
    assert log.offset_at(1) == log.first_offset
