"""What every log promises, asked of logs in files, on a disk in memory, and in memory alone."""

from itertools import pairwise
from pathlib import Path

import pytest

from tapemq.batch import HEADER_BYTES, Kind
from tapemq_broker.storage.errors import LogFailed, OffsetOutOfRange
from tapemq_broker.storage.files import OsDisk
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.memory_log import MemoryLog
from tapemq_broker.storage.record_log import LogSettings
from tests.support.logs import (
    DIRECTORY,
    LOG_ID,
    SyncedLog,
    batch_of,
    headers,
    read_all,
    records,
    sync,
)

SETTINGS = LogSettings(segment_bytes=1000, index_interval_bytes=200)


class Setup:
    """A log and the disk it is on."""

    def __init__(self, kind: str, directory: Path) -> None:
        self.disk: MemoryDisk | OsDisk = MemoryDisk()
        if kind == "os":
            self.disk = OsDisk(str(directory))
        self.log: SyncedLog = (
            MemoryLog(LOG_ID, settings=SETTINGS)
            if kind == "none"
            else Log.open(self.disk, DIRECTORY, LOG_ID, settings=SETTINGS, now_us=1)
        )

    def sync(self) -> int:
        return sync(self.log, self.disk)


@pytest.fixture(params=["os", "memory", "none"])
def setup(request: pytest.FixtureRequest, tmp_path: Path) -> Setup:
    return Setup(request.param, tmp_path)


@pytest.fixture
def log(setup: Setup) -> SyncedLog:
    return setup.log


def fill(setup: Setup, count: int) -> list[tuple[int, bytes | None]]:
    """Append batches of three records, a few segments full, and sync now and then."""
    expected: list[tuple[int, bytes | None]] = []
    for number in range(count):
        values = [b"%d-%d" % (number, record) for record in range(3)]
        base = setup.log.append(batch_of(*values), 1_000 * (number + 1))
        expected += zip(range(base, base + 3), values, strict=True)
        if number % 4 == 3:
            setup.sync()
    setup.sync()
    return expected


def test_a_new_log_is_empty(log: SyncedLog) -> None:
    assert (log.first_offset, log.durable_offset, log.next_offset) == (0, 0, 0)
    assert (log.size_bytes, log.log_epoch) == (0, 0)
    assert [info[:3] for info in log.segments()] == [(0, 0, 0)]
    assert log.offset_at(0) == 0
    chunk = log.plan(0, upto=0, max_bytes=1000).run(wait=False)
    assert chunk is not None
    assert (bytes(chunk.data), chunk.record_count, chunk.next_offset) == (b"", 0, 0)


def test_offsets_count_records(setup: Setup, log: SyncedLog) -> None:
    assert log.append(batch_of(b"a", b"b"), 5) == 0
    assert log.append(batch_of(b"c"), 6) == 2
    assert log.next_offset == 3
    assert log.durable_offset == 0
    assert setup.sync() == 3
    assert read_all(log, 0) == [(0, b"a"), (1, b"b"), (2, b"c")]


def test_a_round_covers_what_was_there_when_it_began(log: SyncedLog) -> None:
    log.append(batch_of(b"a"), 5)
    target = log.begin_sync()
    log.append(batch_of(b"b"), 6)
    log.mark_durable(target)
    assert log.durable_offset == 1


@pytest.mark.parametrize("hints", [True, False])
@pytest.mark.parametrize("max_bytes", [0, 1, 200, 500, 1 << 20])
def test_all_is_read_from_anywhere(setup: Setup, hints: bool, max_bytes: int) -> None:
    expected = fill(setup, 20)
    assert len(setup.log.segments()) > 2
    for offset in range(len(expected) + 1):
        found = read_all(setup.log, offset, max_bytes=max_bytes, hints=hints)
        assert found == expected[offset:]


def test_a_chunk_is_whole_batches_up_to_the_limit(setup: Setup, log: SyncedLog) -> None:
    fill(setup, 3)
    chunk = log.plan(4, upto=9, max_bytes=1).run(wait=True)
    assert chunk is not None
    assert [header.base_offset for header in headers(chunk.data)] == [3]
    assert (chunk.record_count, chunk.next_offset) == (2, 6)
    two = 2 * len(chunk.data)
    for max_bytes, count in ((two - 1, 1), (two, 2), (two + 1, 2)):
        chunk = log.plan(0, upto=9, max_bytes=max_bytes).run(wait=True)
        assert chunk is not None
        assert chunk.record_count == 3 * count


def test_nothing_at_or_above_upto_is_read(setup: Setup, log: SyncedLog) -> None:
    fill(setup, 3)
    chunk = log.plan(0, upto=6, max_bytes=1 << 20).run(wait=True)
    assert chunk is not None
    assert [offset for offset, _ in records(chunk.data)] == [0, 1, 2, 3, 4, 5]
    assert chunk.next_offset == 6
    chunk = log.plan(6, upto=6, max_bytes=1 << 20, hint=chunk.hint).run(wait=True)
    assert chunk is not None
    assert (chunk.record_count, chunk.next_offset) == (0, 6)
    chunk = log.plan(6, upto=9, max_bytes=1 << 20, hint=chunk.hint).run(wait=True)
    assert chunk is not None
    assert (chunk.record_count, chunk.next_offset) == (3, 9)


def test_offsets_outside_the_log_are_refused(setup: Setup, log: SyncedLog) -> None:
    fill(setup, 20)
    log.truncate_front(40)
    first = log.first_offset
    assert 0 < first <= 40
    for offset, upto in ((first - 1, 60), (0, 60), (61, 61), (60, 61), (50, 40)):
        with pytest.raises(OffsetOutOfRange) as caught:
            log.plan(offset, upto=upto, max_bytes=1000)
        assert caught.value.first_offset == first


def test_times_never_decrease_and_find_offsets(setup: Setup, log: SyncedLog) -> None:
    fill(setup, 20)
    log.append(batch_of(b"late"), 3)
    assert log.last_append_time_us == 20_000
    for number in range(20):
        assert log.offset_at(1_000 * (number + 1)) == 3 * number
        assert log.offset_at(1_000 * number + 1) == 3 * number
    assert log.offset_at(20_001) == log.next_offset == 61
    assert log.offset_at(0) == 0


def test_truncate_front_removes_whole_segments_below(setup: Setup, log: SyncedLog) -> None:
    expected = fill(setup, 20)
    before = log.segments()
    log.truncate_front(before[2].base_offset - 1)
    assert log.segments() == before[1:]
    assert log.first_offset == before[1].base_offset
    assert log.size_bytes == sum(info.size_bytes for info in before[1:])
    assert read_all(log, log.first_offset) == expected[log.first_offset :]
    assert log.offset_at(0) == log.first_offset
    log.truncate_front(10_000)
    assert log.segments() == before[-1:]
    assert log.append(batch_of(b"x"), 1) == len(expected)


def test_segments_adjoin(setup: Setup, log: SyncedLog) -> None:
    fill(setup, 20)
    segments = log.segments()
    assert all(a.next_offset == b.base_offset for a, b in pairwise(segments))
    assert segments[-1].next_offset == log.next_offset
    assert sum(info.size_bytes for info in segments) == log.size_bytes
    assert all(info.size_bytes <= SETTINGS.segment_bytes + HEADER_BYTES for info in segments)
    assert [info.last_append_time_us for info in segments[-1:]] == [20_000]


def test_roll_begins_a_segment_unless_it_would_be_empty(setup: Setup, log: SyncedLog) -> None:
    assert not log.roll()
    log.append(batch_of(b"a"), 5)
    setup.sync()
    assert log.roll()
    assert not log.roll()
    setup.sync()
    assert not log.roll()
    log.append(batch_of(b"b"), 5)
    log.truncate_front(1)
    assert log.first_offset == 0, "nothing durable would be left"
    setup.sync()
    log.truncate_front(1)
    assert log.first_offset == 1
    assert read_all(log, 1) == [(1, b"b")]


def test_mark_says_once_that_the_last_batch_is_durable(setup: Setup, log: SyncedLog) -> None:
    log.mark(4)
    assert log.size_bytes == 0
    log.append(batch_of(b"a"), 5)
    size_bytes = log.size_bytes
    log.mark(5)
    assert log.size_bytes == size_bytes
    setup.sync()
    log.mark(6)
    log.mark(7)
    assert log.size_bytes == size_bytes + HEADER_BYTES
    assert log.next_offset == log.durable_offset == 1
    setup.sync()
    log.mark(8)
    assert log.size_bytes == size_bytes + HEADER_BYTES
    log.append(batch_of(b"b"), 5)
    setup.sync()
    chunk = log.plan(0, upto=2, max_bytes=1000).run(wait=True)
    assert chunk is not None
    mark = headers(chunk.data)[1]
    assert (mark.kind, mark.durable_upto, mark.durable_batch) == (Kind.MARK, 1, 1)
    assert read_all(log, 0, max_bytes=0) == [(0, b"a"), (1, b"b")]
    assert read_all(log, 1, max_bytes=0) == [(1, b"b")]


def test_a_mark_at_the_end_of_what_was_asked_for_is_not_read(setup: Setup, log: SyncedLog) -> None:
    log.append(batch_of(b"a"), 5)
    setup.sync()
    log.mark(6)
    chunk = log.plan(0, upto=1, max_bytes=1000).run(wait=True)
    assert chunk is not None
    assert [header.kind for header in headers(chunk.data)] == [Kind.DATA]


def test_a_log_knows_when_its_newest_segment_was_begun(setup: Setup, log: SyncedLog) -> None:
    begun = [log.segment_begun_us]
    for time_us in (5, 9):
        log.append(batch_of(b"a"), time_us)
    begun.append(log.segment_begun_us)
    setup.sync()
    log.roll()
    begun.append(log.segment_begun_us)
    log.append(batch_of(b"b"), 12)
    assert [*begun, log.segment_begun_us] == [None, 5, None, 12]


def test_marks_alone_do_not_make_a_segment_that_could_be_rolled(setup: Setup) -> None:
    log = setup.log
    log.append(batch_of(b"a"), 5)
    setup.sync()
    log.roll()
    setup.sync()
    log.mark(6)
    assert not log.roll()
    setup.sync()
    assert not log.roll()


def test_batches_say_what_was_durable_when_they_were_written(setup: Setup, log: SyncedLog) -> None:
    fill(setup, 4)
    log.append(batch_of(b"x"), 5)
    chunk = log.plan(0, upto=13, max_bytes=1 << 20).run(wait=True)
    assert chunk is not None
    found = [(header.durable_upto, header.durable_batch) for header in headers(chunk.data)]
    assert found == [(0, 0)] * 4 + [(12, 4)]


def test_nothing_is_appended_after_close(setup: Setup, log: SyncedLog) -> None:
    log.append(batch_of(b"a"), 5)
    setup.sync()
    assert log.close(clean=False, now_us=6) is None
    with pytest.raises(LogFailed, match="closed"):
        log.append(batch_of(b"b"), 5)
    with pytest.raises(LogFailed, match="closed"):
        log.mark(5)
    with pytest.raises(LogFailed, match="closed"):
        log.roll()


def test_a_limit_of_records_ends_behind_the_batch_that_reaches_it(
    setup: Setup, log: SyncedLog
) -> None:
    fill(setup, 4)
    for max_records, expected in ((1, 2), (2, 2), (3, 5), (5, 5), (6, 8)):
        plan = log.plan(1, upto=12, max_bytes=1 << 20, max_records=max_records)
        chunk = plan.run(wait=True)
        assert chunk is not None
        assert chunk.record_count == expected


@pytest.mark.parametrize("covering_bytes", [1, 700, 1 << 20])
def test_landmarks_say_how_much_is_below_an_offset(
    setup: Setup, log: SyncedLog, covering_bytes: int
) -> None:
    fill(setup, 20)
    found = list(log.landmarks(covering_bytes, wait=True))
    assert found == sorted(found)
    assert found[0][1] == 0
    assert found[-1][0] == log.next_offset
    assert min(covering_bytes, log.size_bytes) <= found[-1][1] <= log.size_bytes
    byte = 0
    begins = {}
    offset = found[0][0]
    while offset < log.next_offset:
        chunk = log.plan(offset, upto=log.next_offset, max_bytes=1 << 20).run(wait=True)
        assert chunk is not None
        for header in headers(chunk.data):
            begins[header.base_offset] = byte
            byte += header.batch_bytes
        offset = chunk.next_offset
    assert found[-1][1] == byte
    assert all(begins[offset] == byte for offset, byte in found[:-1])
    assert len(found) > len(begins) // 3
