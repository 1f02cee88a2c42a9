from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.unproven import Unproven
from tests.support.raw_log import RawLog


def unproven_of(log: RawLog) -> Unproven:
    unproven = Unproven()
    for placed in log.placed:
        unproven.add(placed.segment_base, placed.position, placed.header)
    return unproven


def test_nothing_was_seen() -> None:
    assert Unproven().starts() == {}


def test_no_batch_proves_itself() -> None:
    log = RawLog(MemoryDisk())
    log.mark()
    assert unproven_of(log).starts() == {0: 0}


def test_a_batch_proves_those_before_it_that_were_synced_when_it_was_written() -> None:
    log = RawLog(MemoryDisk())
    log.data(b"synced")
    log.synced()
    first = log.data(b"not")
    log.data(b"not either")
    assert unproven_of(log).starts() == {0: first.position}
    log.synced()
    last = log.data(b"later")
    assert unproven_of(log).starts() == {0: last.position}


def test_each_segment_has_a_start_of_its_own() -> None:
    log = RawLog(MemoryDisk())
    log.data(b"synced")
    log.synced()
    first = log.data(b"not")
    log.roll()
    log.data(b"not either")
    log.data(b"nor this")
    assert unproven_of(log).starts() == {0: first.position, 2: 0}
    log.mark()
    assert unproven_of(log).starts() == {2: log.placed[-1].position}


def test_what_is_proven_is_not_held() -> None:
    log = RawLog(MemoryDisk())
    for _ in range(100):
        log.data(b"x")
        log.synced()
    assert len(unproven_of(log)._batches) == 1
