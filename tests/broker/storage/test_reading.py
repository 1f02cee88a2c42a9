from collections.abc import Callable

import pytest

from tapemq.batch import HEADER_BYTES, LogId, Role
from tapemq_broker.storage.appending import MARK
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.errors import CorruptLog, OffsetOutOfRange
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.paths import segment_path
from tapemq_broker.storage.reading import BATCHES_MAX
from tapemq_broker.storage.record_log import Chunk, LogSettings
from tapemq_broker.storage.repair import repair
from tapemq_broker.storage.repair_plan import Mode
from tapemq_broker.storage.segment_cache import SegmentCache
from tapemq_broker.storage.segment_reader import QUICK_BYTES_MAX
from tests.support.disk_image import flipped
from tests.support.faulty_disk import FaultyDisk
from tests.support.logs import DIRECTORY, LOG_ID, batch_of, headers, read_all, records, sync
from tests.support.raw_log import RawLog

SETTINGS = LogSettings(segment_bytes=1000, index_interval_bytes=200)
BODY_BYTES = len(batch_of(b"0123456789").body)
BATCH_BYTES = HEADER_BYTES + BODY_BYTES


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
def log(disk: FaultyDisk) -> Log:
    """Four batches of one record in a segment."""
    return filled(disk, 4)


def filled(disk: FaultyDisk, count: int, cache: SegmentCache | None = None) -> Log:
    log = Log.open(disk, DIRECTORY, LOG_ID, settings=SETTINGS, now_us=1, cache=cache)
    for number in range(count):
        log.append(batch_of(b"%010d" % number), number)
        sync(log, disk)
    return log


def content(disk: FaultyDisk, base: int = 0) -> bytearray:
    """The bytes of a segment, to be damaged."""
    file = disk.open(segment_path(DIRECTORY, base))
    assert isinstance(file, MemoryFile)
    return file.content.now


def read(log: Log, offset: int, max_bytes: int = 1 << 20, hint: object = None) -> Chunk:
    plan = log.plan(offset, upto=log.next_offset, max_bytes=max_bytes, hint=hint)
    chunk = plan.run(wait=True)
    assert chunk is not None
    return chunk


def test_no_wrong_bit_is_ever_served(disk: FaultyDisk, log: Log) -> None:
    data = content(disk)
    expected = [(number, b"%010d" % number) for number in range(4)]
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        bad = bit // 8 // BATCH_BYTES
        found = records(read(log, 0).data) if bad else []
        assert found == expected[:bad], "what is sound before the damage is served"
        with pytest.raises(CorruptLog) as caught:
            read(log, bad)
        assert caught.value.position == bad * BATCH_BYTES
        assert caught.value.segment == segment_path(DIRECTORY, 0)
        assert caught.value.to_offset == 4
        assert bad - 1 <= caught.value.from_offset <= bad
        data[bit // 8] ^= 1 << bit % 8
    assert read_all(log, 0) == expected


def test_damage_right_behind_a_mark_is_told_and_not_a_chunk_of_nothing(disk: FaultyDisk) -> None:
    """Who reads for a queue group takes that for a defect of this broker, and ends it."""
    log = filled(disk, 1)
    hint = read(log, 0).hint
    log.mark(7)
    log.append(batch_of(b"0000000001"), 8)
    sync(log, disk)
    assert records(read(log, 1, hint=hint).data) == [(1, b"0000000001")]
    content(disk)[-1] ^= 1
    with pytest.raises(CorruptLog) as caught:
        read(log, 1, hint=hint)
    assert caught.value.position == log.size_bytes - BATCH_BYTES


def test_very_many_marks_are_passed_over(disk: FaultyDisk) -> None:
    large = LogSettings(segment_bytes=1 << 20, index_interval_bytes=1 << 20)
    log = Log.open(disk, DIRECTORY, LOG_ID, settings=large, now_us=1)
    log.append(batch_of(b"0000000000"), 1)
    sync(log, disk)
    hint = read(log, 0).hint
    for number in range(2 * BATCHES_MAX + 1):
        log._write(MARK, number)
    log.append(batch_of(b"0000000001"), 5000)
    sync(log, disk)
    assert records(read(log, 1, hint=hint).data)[-1] == (1, b"0000000001")


@pytest.mark.parametrize("more_bytes", range(0, 2 * HEADER_BYTES, 7))
def test_a_record_behind_marks_is_found_wherever_a_chunk_ends(
    disk: FaultyDisk, more_bytes: int
) -> None:
    log = filled(disk, 1)
    hint = read(log, 0).hint
    for _ in range(2):
        log._write(MARK, 5)
    log.append(batch_of(b"0000000001"), 8)
    sync(log, disk)
    found = read(log, 1, HEADER_BYTES + more_bytes, hint)
    assert records(found.data)[-1] == (1, b"0000000001")


def swap_batches(data: bytearray) -> None:
    first = data[:BATCH_BYTES]
    data[:BATCH_BYTES] = data[BATCH_BYTES : 2 * BATCH_BYTES]
    data[BATCH_BYTES : 2 * BATCH_BYTES] = first


def repeat_batch(data: bytearray) -> None:
    data[BATCH_BYTES : 2 * BATCH_BYTES] = data[:BATCH_BYTES]


def lose_batch(data: bytearray) -> None:
    data[BATCH_BYTES : 3 * BATCH_BYTES] = data[2 * BATCH_BYTES :]


def lose_the_end(data: bytearray) -> None:
    del data[BATCH_BYTES + 30 :]


def zero_a_part(data: bytearray) -> None:
    data[BATCH_BYTES - 20 : BATCH_BYTES + 20] = bytes(40)


@pytest.mark.parametrize(
    "damage", [swap_batches, repeat_batch, lose_batch, lose_the_end, zero_a_part]
)
def test_sound_batches_in_wrong_places_are_not_served(
    disk: FaultyDisk, log: Log, damage: Callable[[bytearray], None]
) -> None:
    damage(content(disk))
    with pytest.raises(CorruptLog):
        read_all(log, 0)
    with pytest.raises(CorruptLog):
        read_all(log, 0, max_bytes=0)


def test_a_batch_of_another_log_is_not_served(disk: FaultyDisk, log: Log) -> None:
    other_id = LogId(8, 0, Role.DATA)
    other = Log.open(disk, "other", other_id, settings=SETTINGS, now_us=1)
    for number in range(4):
        other.append(batch_of(b"%010d" % number), number)
        sync(other, disk)
    foreign = disk.read_file(segment_path("other", 0)) or b""
    content(disk)[:] = foreign
    for offset in (0, 2):
        with pytest.raises(CorruptLog, match=r"of another log|of log"):
            read(log, offset)
    with pytest.raises(CorruptLog, match="of log"):
        log.offset_at(2)


def test_the_chain_is_checked_across_chunks(disk: FaultyDisk, log: Log) -> None:
    hint = read(log, 0, max_bytes=0).hint
    fork_disk = FaultyDisk()
    fork = Log.open(fork_disk, DIRECTORY, LOG_ID, settings=SETTINGS, now_us=1)
    fork.append(batch_of(b"different!"), 0)
    sync(fork, fork_disk)
    for number in range(1, 4):
        fork.append(batch_of(b"%010d" % number), number)
        sync(fork, fork_disk)
    # Each batch of the fork is sound, and continues the one before it, but not the one read here.
    content(disk)[:] = content(fork_disk)
    assert read(log, 1).record_count == 3
    with pytest.raises(CorruptLog, match="continues another batch"):
        read(log, 1, hint=hint)


def test_a_batch_of_which_the_segment_holds_a_part_is_no_hole(disk: FaultyDisk) -> None:
    """Its header is sound: what is behind it would be passed over in silence."""
    log, fork_disk = filled(disk, 3), FaultyDisk()
    hint = read(log, 0).hint
    fork = filled(fork_disk, 3)
    log.append(batch_of(b"0123456789"), 4)
    sync(log, disk)
    fork.append(batch_of(b"0123456789" * 20), 4)
    sync(fork, fork_disk)
    size_bytes = len(content(disk))
    content(disk)[:] = content(fork_disk)[:size_bytes]
    with pytest.raises(CorruptLog, match="is not whole"):
        read(log, 3, hint=hint)
    with pytest.raises(CorruptLog, match="does not belong here"):
        read(log, 3)


@pytest.mark.parametrize("max_bytes", [0, 1000, 2500])
def test_reading_on_needs_one_read_for_each_chunk(disk: FaultyDisk, max_bytes: int) -> None:
    log = Log.open(disk, DIRECTORY, LOG_ID, now_us=1)
    batch = batch_of(bytes(1000))
    for _ in range(9):
        log.append(batch, 1)
    offset, hint, chunks = 0, None, 0
    while offset < 9:
        chunk = log.plan(offset, upto=9, max_bytes=max_bytes, hint=hint).run(wait=False)
        assert chunk is not None
        if offset == 0:
            disk.reads.clear()
        offset, hint, chunks = chunk.next_offset, chunk.hint, chunks + 1
    assert len(disk.reads) == chunks - 1
    positions = [position for _, position, _ in disk.reads]
    assert all(position % (HEADER_BYTES + len(batch.body)) == 0 for position in positions)


def test_a_hint_of_another_place_is_ignored(log: Log) -> None:
    hint = read(log, 0, max_bytes=0).hint
    assert records(read(log, 2, hint=hint).data)[0][0] == 2
    assert records(read(log, 2, hint="something").data)[0][0] == 2


def test_a_hint_of_another_log_is_ignored(log: Log) -> None:
    other = filled(FaultyDisk(), 4)
    hint = read(other, 0, max_bytes=0).hint
    assert records(read(log, 1, hint=hint).data)[0] == (1, b"%010d" % 1)
    fork = Log.open(FaultyDisk(), DIRECTORY, LOG_ID, settings=SETTINGS, now_us=1)
    fork.append(batch_of(b"zero"), 1)
    fork.append(batch_of(b"one"), 1)
    assert records(read(fork, 1, hint=hint).data) == [(1, b"one")]


def test_a_hint_leads_into_the_next_segment(disk: FaultyDisk) -> None:
    log = filled(disk, 5)
    hint = read(log, 0).hint
    assert len(log.segments()) == 1
    for number in range(5, 12):
        log.append(batch_of(b"%010d" % number), number)
    sync(log, disk)
    first_end = log.segments()[0].next_offset
    assert first_end > 5
    chunk = read(log, 5, hint=hint)
    assert (chunk.next_offset, chunk.record_count) == (first_end, first_end - 5)
    assert records(read(log, first_end, hint=chunk.hint).data)[0][0] == first_end


def test_a_chunk_has_a_limited_number_of_batches(disk: FaultyDisk) -> None:
    log = Log.open(disk, DIRECTORY, LOG_ID, now_us=1)
    for number in range(BATCHES_MAX + 10):
        log.append(batch_of(b"%010d" % number), number)
    chunk = read(log, 0)
    assert len(headers(chunk.data)) == chunk.record_count == BATCHES_MAX
    assert len(read_all(log, 0)) == BATCHES_MAX + 10


def test_what_is_not_cached_is_read_only_by_who_may_wait(disk: FaultyDisk, log: Log) -> None:
    disk.is_cold = True
    plan = log.plan(1, upto=4, max_bytes=1 << 20)
    assert plan.run(wait=False) is None
    chunk = plan.run(wait=True)
    assert chunk is not None
    assert chunk.record_count == 3


def test_files_and_indexes_are_opened_only_by_who_may_wait(disk: FaultyDisk) -> None:
    log = filled(disk, 20, SegmentCache(disk, files_max=0, indexes_max=0))
    assert len(log.segments()) > 2
    plan = log.plan(1, upto=20, max_bytes=1 << 20)
    disk.opened.clear()
    disk.fail = lambda operation, path: pytest.fail("the disk is touched")
    assert plan.run(wait=False) is None
    disk.fail = lambda operation, path: None
    chunk = plan.run(wait=True)
    assert chunk is not None
    assert records(chunk.data)[0][0] == 1


def test_large_reads_are_left_to_who_may_wait(disk: FaultyDisk) -> None:
    log = Log.open(disk, DIRECTORY, LOG_ID, now_us=1)
    for _ in range(3):
        log.append(batch_of(bytes(QUICK_BYTES_MAX // 2)), 1)
    plan = log.plan(0, upto=3, max_bytes=QUICK_BYTES_MAX)
    assert plan.run(wait=False) is None
    chunk = log.plan(0, upto=3, max_bytes=QUICK_BYTES_MAX - HEADER_BYTES).run(wait=False)
    assert chunk is not None
    assert chunk.record_count == 1
    log.append(batch_of(bytes(2 * QUICK_BYTES_MAX)), 1)
    plan = log.plan(3, upto=4, max_bytes=1000)
    assert plan.run(wait=False) is None
    chunk = plan.run(wait=True)
    assert chunk is not None
    assert chunk.record_count == 1


def test_a_plan_that_retention_overtakes_says_so(disk: FaultyDisk) -> None:
    log = filled(disk, 20, SegmentCache(disk, files_max=0))
    first_end = log.segments()[0].next_offset
    plan = log.plan(1, upto=20, max_bytes=1 << 20)
    log.truncate_front(15)
    with pytest.raises(OffsetOutOfRange) as caught:
        plan.run(wait=True)
    assert caught.value.first_offset == first_end


def test_a_plan_reads_what_was_there_when_it_was_made(disk: FaultyDisk, log: Log) -> None:
    plan = log.plan(0, upto=4, max_bytes=1 << 20)
    log.append(batch_of(b"later"), 9)
    chunk = plan.run(wait=True)
    assert chunk is not None
    assert chunk.next_offset == 4


def test_reading_up_to_the_middle_of_a_batch_is_refused(disk: FaultyDisk) -> None:
    log = Log.open(disk, DIRECTORY, LOG_ID, now_us=1)
    log.append(batch_of(b"a", b"b"), 1)
    with pytest.raises(ValueError, match="inside a batch"):
        log.plan(0, upto=1, max_bytes=1000).run(wait=True)


def test_a_hole_at_the_end_is_read_up_to_its_end_whatever_marks_follow_it() -> None:
    """A repair has given the last records up, and left the mark behind them."""
    log = RawLog(MemoryDisk())
    log.data(b"a", b"b")
    kept = log.end
    log.data(b"c")
    log.mark()
    data = log.disk.read_file(log.path) or b""
    log.disk.replace_file(log.path, flipped(data, 8 * (log.placed[1].position + 100)))
    directory = DataDirectory(log.disk, bytes(16))
    place = directory.place_of(DIRECTORY)
    assert place is not None
    report = repair(directory, place, Mode.SALVAGE, confirm=True, now_us=log.now_us)
    assert [hole[:2] for hole in report.holes] == [(2, 3)]
    opened = Log.open(log.disk, DIRECTORY, LOG_ID, now_us=log.now_us)
    hint = opened.plan(0, upto=2, max_bytes=1000).run(wait=True)
    assert hint is not None
    assert hint.next_offset == kept.next_offset == 2
    for given in (None, hint.hint):
        chunk = opened.plan(2, upto=3, max_bytes=1000, hint=given).run(wait=True)
        assert chunk is not None
        assert (chunk.record_count, chunk.next_offset) == (0, 3)
    opened.append(batch_of(b"d"), log.now_us)
    assert read_all(opened, 2) == [(3, b"d")]


def test_a_hole_at_a_segments_end_ends_where_the_next_one_begins() -> None:
    """A repair has given the last record up that is in front of the next segment."""
    log = RawLog(MemoryDisk())
    log.data(b"a", b"b")
    log.data(b"c")
    damaged, position = log.path, log.placed[1].position
    log.roll()
    log.data(b"d")
    log.mark()
    data = log.disk.read_file(damaged) or b""
    log.disk.replace_file(damaged, flipped(data, 8 * (position + 100)))
    directory = DataDirectory(log.disk, bytes(16))
    place = directory.place_of(DIRECTORY)
    assert place is not None
    repair(directory, place, Mode.SALVAGE, confirm=True, now_us=log.now_us)
    opened = Log.open(log.disk, DIRECTORY, LOG_ID, now_us=log.now_us)
    chunk = opened.plan(2, upto=4, max_bytes=1000).run(wait=True)
    assert chunk is not None
    assert (bytes(chunk.data), chunk.record_count, chunk.next_offset) == (b"", 0, 3)
    behind = opened.plan(3, upto=4, max_bytes=1000).run(wait=True)
    assert behind is not None
    assert (behind.record_count, behind.next_offset) == (1, 4)
