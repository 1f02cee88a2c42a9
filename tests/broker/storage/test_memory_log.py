from tapemq_broker.storage.memory_log import MemoryLog
from tests.support.logs import LOG_ID, batch_of, read_all, sync


def test_it_needs_no_disk_to_be_durable() -> None:
    log = MemoryLog(LOG_ID)
    log.append(batch_of(b"a"), 1)
    assert log.begin_sync().files == ()
    assert sync(log) == 1


def test_what_is_appended_does_not_change_with_the_buffer() -> None:
    log = MemoryLog(LOG_ID)
    batch = batch_of(b"first")
    body = bytearray(batch.body)
    log.append(batch._replace(body=body), 1)
    body[-5:] = b"other"
    assert read_all(log, 0) == [(0, b"first")]


def test_nothing_is_left_for_a_next_start() -> None:
    assert MemoryLog(LOG_ID).close(clean=True, now_us=1) is None
