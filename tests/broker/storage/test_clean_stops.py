"""Logs that are closed cleanly, so that the next start need not scan them."""

import errno

import pytest

from tapemq.batch import Kind
from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.errors import LogFailed
from tapemq_broker.storage.index import Index
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.paths import index_path, segment_path
from tapemq_broker.storage.record_log import LogSettings
from tests.support.faulty_disk import FaultyDisk, failing
from tests.support.logs import DIRECTORY, LOG_ID, batch_of, headers, read_all

SETTINGS = LogSettings(segment_bytes=1000, index_interval_bytes=200)
RECORD = batch_of(b"x" * 300)
"""Two of these fit in a segment."""


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
def log(disk: FaultyDisk) -> Log:
    return open_log(disk)


def open_log(disk: FaultyDisk) -> Log:
    return Log.open(disk, DIRECTORY, LOG_ID, settings=SETTINGS, now_us=1)


def test_a_clean_stop_saves_the_scan(disk: FaultyDisk, log: Log) -> None:
    for _ in range(5):
        log.append(RECORD, 5)
    entry = log.close(clean=True, now_us=6)
    assert entry is not None
    assert (entry.log_id, entry.next_offset, entry.end.last_append_time_us) == (LOG_ID, 5, 6)
    decoded = Index.decode(disk.read_file(index_path(DIRECTORY, 2)) or b"")
    assert decoded is not None
    assert not decoded[0].complete, "more will be appended"
    disk.power_cut()
    again = Log.open(disk, DIRECTORY, LOG_ID, settings=SETTINGS, clean=entry, now_us=7)
    assert again.recovered.row is Row.CLEAN
    assert again.recovered.tail_base is None
    assert (again.next_offset, again.durable_offset) == (5, 5)
    assert len(read_all(again, 0)) == 5
    assert again.append(RECORD, 7) == 5


def test_a_clean_stop_proves_the_last_batch(disk: FaultyDisk, log: Log) -> None:
    log.append(RECORD, 5)
    log.close(clean=True, now_us=6)
    again = open_log(disk)
    chunk = again.plan(0, upto=1, max_bytes=1 << 20).run(wait=True)
    assert chunk is not None
    data = disk.read_file(segment_path(DIRECTORY, 0)) or b""
    mark = headers(memoryview(data))[1]
    assert (mark.kind, mark.durable_batch) == (Kind.MARK, 1)


def test_a_clean_stop_fits_on_a_full_disk(disk: FaultyDisk, log: Log) -> None:
    log.append(RECORD, 5)
    disk.fail = failing("append", errno.ENOSPC)
    disk.synced.clear()
    entry = log.close(clean=True, now_us=6)
    # Once more when half of a mark was cut off again, or a power cut could bring that back.
    assert disk.synced == [segment_path(DIRECTORY, 0)] * 2
    disk.fail = lambda operation, path: None
    again = Log.open(disk, DIRECTORY, LOG_ID, clean=entry, now_us=7)
    assert again.next_offset == 1


def test_a_log_that_failed_does_not_stop_cleanly(disk: FaultyDisk, log: Log) -> None:
    disk.fail = failing("append", errno.EIO)
    with pytest.raises(LogFailed):
        log.append(RECORD, 5)
    assert log.close(clean=True, now_us=6) is None
