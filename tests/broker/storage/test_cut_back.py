"""What a full disk wrote in part is cut off again; a power cut must not bring it back.

For what follows it may be acknowledged, and a start would find something torn in front of that.
"""

from collections.abc import Sequence

import pytest

from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.errors import LogFull
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.memory_tree import Write
from tapemq_broker.storage.record_log import LogSettings
from tests.support.full_disk import HalfFullDisk
from tests.support.logs import DIRECTORY, LOG_ID, batch_of, read_all, sync

SETTINGS = LogSettings(segment_bytes=2000)
SMALL, LARGE = b"a" * 500, b"b" * 1800


class EagerDisk(HalfFullDisk):
    """The first unsynced write of each file reaches the disk; what follows does not."""

    def surviving_writes(self, path: str, pending: Sequence[Write]) -> Sequence[Write]:
        return pending[:1]


@pytest.fixture
def disk() -> EagerDisk:
    return EagerDisk()


def opened(disk: EagerDisk, clean: CleanEntry | None = None) -> Log:
    return Log.open(disk, DIRECTORY, LOG_ID, settings=SETTINGS, clean=clean, now_us=1)


def with_a_batch(disk: EagerDisk) -> Log:
    log = opened(disk)
    log.append(batch_of(SMALL), 2)
    sync(log, disk)
    return log


def refuse(disk: EagerDisk, log: Log) -> None:
    disk.is_full = True
    with pytest.raises(LogFull):
        log.append(batch_of(SMALL), 3)
    disk.is_full = False


def check_behind(disk: EagerDisk, log: Log) -> None:
    """What rolls into the next segment, and is durable, stays so."""
    log.append(batch_of(LARGE), 4)
    sync(log, disk)
    assert log.durable_offset == 2
    disk.power_cut()
    assert read_all(opened(disk), 0) == [(0, SMALL), (1, LARGE)]


def test_a_refused_append(disk: EagerDisk) -> None:
    log = with_a_batch(disk)
    refuse(disk, log)
    check_behind(disk, log)


def test_an_append_that_is_refused_during_a_round(disk: EagerDisk) -> None:
    """The round may have begun before, and does not cover it."""
    log = opened(disk)
    log.append(batch_of(SMALL), 2)
    target = log.begin_sync()
    for file in target.files:
        disk.sync_now(file)
    refuse(disk, log)
    log.mark_durable(target)
    check_behind(disk, log)


def test_the_mark_of_a_recovery(disk: EagerDisk) -> None:
    with_a_batch(disk).close(clean=False, now_us=3)
    disk.is_full = True
    log = opened(disk)
    assert (log.recovered.row, log.recovered.mark) == (Row.KEPT, None)
    disk.is_full = False
    check_behind(disk, log)


def test_the_mark_of_a_clean_stop(disk: EagerDisk) -> None:
    log = with_a_batch(disk)
    disk.is_full = True
    clean = log.close(clean=True, now_us=3)
    disk.is_full = False
    disk.power_cut()
    again = opened(disk, clean)
    assert again.recovered.row is Row.CLEAN
    assert read_all(again, 0) == [(0, SMALL)]
