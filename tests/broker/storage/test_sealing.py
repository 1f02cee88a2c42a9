import errno

import pytest

from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.index import Index
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.paths import index_path, state_path
from tapemq_broker.storage.record_log import LogSettings
from tapemq_broker.storage.sealing import Ending, write_index, write_state
from tapemq_broker.storage.segment import Segment
from tapemq_broker.storage.snapshot import decode_snapshot
from tests.support.faulty_disk import FaultyDisk, failing
from tests.support.logs import DIRECTORY, LOG_ID, batch_of, sync

END = LogEnd(99, 42, 0xDEADBEEF, 3, 77)


@pytest.fixture
def disk() -> FaultyDisk:
    disk = FaultyDisk()
    disk.make_directory(DIRECTORY)
    return disk


@pytest.fixture
def ending() -> Ending:
    segment = Segment(DIRECTORY, 10, append_time_us=77)
    segment.size_bytes, segment.last_position = 5000, 4000
    return Ending(segment, END, b"state")


def test_the_index_says_what_is_on_disk(disk: FaultyDisk, ending: Ending) -> None:
    for complete in (False, True):
        (file,) = write_index(disk, LOG_ID, ending, Index(), complete=complete)
        assert file.path == index_path(DIRECTORY, 10)
        decoded = Index.decode(disk.read_file(file.path) or b"")
        assert decoded is not None
        assert decoded[0] == (LOG_ID, 10, 5000, 4000, END, complete)


def test_the_state_is_named_by_its_end(disk: FaultyDisk) -> None:
    (file,) = write_state(disk, DIRECTORY, LOG_ID, END, b"state")
    assert file.path == state_path(DIRECTORY, 99)
    assert decode_snapshot(disk.read_file(file.path) or b"", LOG_ID, END) == b"state"
    assert write_state(disk, DIRECTORY, LOG_ID, END, None) == []


def test_one_sync_makes_a_cache_durable(disk: FaultyDisk) -> None:
    (file,) = write_state(disk, DIRECTORY, LOG_ID, END, b"state")
    disk.sync_now(file)
    disk.power_cut()
    assert disk.read_file(state_path(DIRECTORY, 99)) is not None


@pytest.mark.parametrize("operation", ["create", "append"])
def test_what_cannot_be_written_is_not_left_half(disk: FaultyDisk, operation: str) -> None:
    write_state(disk, DIRECTORY, LOG_ID, END, b"old")
    disk.fail = failing(operation, errno.ENOSPC)
    assert write_state(disk, DIRECTORY, LOG_ID, END, b"new") == []
    assert disk.list_directory(DIRECTORY) == []


def test_logs_at_rest_hold_no_cache_open() -> None:
    """The next round would sync it, and there may be none."""
    disk = FaultyDisk()
    settings = LogSettings(segment_bytes=600)
    log = Log.open(disk, DIRECTORY, LOG_ID, settings=settings, now_us=1)
    while len(log.segments()) < 2:
        log.append(batch_of(b"x" * 100), 5)
    sync(log, disk)
    assert disk.size_bytes(index_path(DIRECTORY, 0))
    log.mark(6)
    (mark,) = log.begin_sync().files
    assert mark.path.endswith(".log")


def test_a_segment_that_ended_by_age_while_its_log_rests_holds_no_cache_open() -> None:
    """What came last is known to be on disk, so there is nothing more to mark."""
    disk = FaultyDisk()
    log = Log.open(disk, DIRECTORY, LOG_ID, now_us=1)
    log.append(batch_of(b"x"), 5)
    sync(log, disk)
    log.mark(6)
    assert log.roll()
    sync(log, disk)
    assert disk.size_bytes(index_path(DIRECTORY, 0))
    log.mark(7)
    assert log.begin_sync().files == []
