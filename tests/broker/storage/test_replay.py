"""The visitor itself; what observers are told is in test_observer.py."""

import errno

import pytest

from tapemq.batch import Header
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.errors import CorruptLog, LogRefused
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.paths import base_offsets, segment_path, state_path
from tapemq_broker.storage.replay import Replay
from tapemq_broker.storage.snapshot import encode_snapshot
from tests.support.disk_image import fill, take_image
from tests.support.faulty_disk import FaultyDisk, failing
from tests.support.raw_log import DIRECTORY, LOG_ID, RawLog


class Counter:
    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.restored: list[bytes | None] = []

    def restore(self, state: bytes | None) -> None:
        self.restored.append(state)

    def observe(self, header: Header, body: memoryview) -> None:
        self.offsets.append(header.base_offset)

    def snapshot(self) -> bytes:
        return b"%d" % len(self.offsets)


def raw_log() -> RawLog:
    """Two batches in each of three segments."""
    raw = RawLog(MemoryDisk())
    for number in range(3):
        if number:
            raw.roll()
        raw.data(b"a")
        raw.data(b"b")
    raw.synced()
    return raw


def bases(raw: RawLog) -> list[int]:
    return base_offsets(raw.disk.list_directory(DIRECTORY), ".log")


def visit(raw: RawLog, replay: Replay, first_base: int) -> None:
    for placed in raw.placed:
        if placed.segment_base >= first_base:
            body = memoryview(placed.body)
            replay(placed.segment_base, placed.position, placed.header, body)


def test_indexes_are_made_without_an_observer() -> None:
    raw = raw_log()
    replay = Replay(raw.disk, DIRECTORY, LOG_ID, None, interval_bytes=1)
    visit(raw, replay, 2)
    replay.finish(raw.end, bases(raw))
    assert sorted(replay.indexes) == [2, 4]
    assert [replay.indexes[2].find(offset).offset for offset in (2, 3)] == [2, 3]
    assert replay.last_state is None


def test_the_observer_is_shown_what_was_not_scanned_first() -> None:
    raw, observer = raw_log(), Counter()
    replay = Replay(raw.disk, DIRECTORY, LOG_ID, observer, interval_bytes=1)
    visit(raw, replay, 2)
    replay.finish(raw.end, bases(raw))
    assert observer.restored == [None]
    assert observer.offsets == [0, 1, 2, 3, 4, 5]


def test_the_state_at_the_last_segment_is_kept() -> None:
    raw = raw_log()
    replay = Replay(raw.disk, DIRECTORY, LOG_ID, Counter(), interval_bytes=1)
    visit(raw, replay, 0)
    replay.finish(raw.end, bases(raw))
    assert replay.last_state == (LogEnd.before(raw.placed[4].header), b"4")


def test_the_state_at_an_empty_last_segment_is_kept() -> None:
    raw = raw_log()
    raw.roll()
    replay = Replay(raw.disk, DIRECTORY, LOG_ID, Counter(), interval_bytes=1)
    visit(raw, replay, 0)
    replay.finish(raw.end, bases(raw))
    assert replay.last_state == (raw.end, b"6")


def test_nothing_scanned_means_reading_all_without_a_state() -> None:
    raw, observer = raw_log(), Counter()
    replay = Replay(raw.disk, DIRECTORY, LOG_ID, observer, interval_bytes=1)
    replay.finish(raw.end, bases(raw))
    assert observer.restored == [None]
    assert observer.offsets == [0, 1, 2, 3, 4, 5]
    assert replay.last_state is None


def test_reading_stops_at_the_end_that_was_asked_for() -> None:
    raw, observer = raw_log(), Counter()
    mark = raw.mark()
    replay = Replay(raw.disk, DIRECTORY, LOG_ID, observer, interval_bytes=1)
    replay.finish(LogEnd.before(mark.header), bases(raw))
    assert len(observer.offsets) == 6


class Picky(Counter):
    """Makes no sense of some states, and of the batch at an offset."""

    def __init__(self, bad_states: tuple[bytes, ...] = (), bad_offset: int = -1) -> None:
        super().__init__()
        self._bad_states = bad_states
        self._bad_offset = bad_offset

    def restore(self, state: bytes | None) -> None:
        super().restore(state)
        if state in self._bad_states:
            raise ValueError(state)

    def observe(self, header: Header, body: memoryview) -> None:
        if header.base_offset == self._bad_offset:
            raise ValueError("it is upside down")
        super().observe(header, body)


def test_a_state_that_makes_no_sense_counts_as_none() -> None:
    raw = raw_log()
    for number, state in ((2, b"older"), (4, b"newer")):
        end = LogEnd.before(raw.placed[number].header)
        raw.disk.replace_file(state_path(DIRECTORY, number), encode_snapshot(LOG_ID, end, state))
    observer = Picky(bad_states=(b"newer",))
    Replay(raw.disk, DIRECTORY, LOG_ID, observer, interval_bytes=1).finish(raw.end, bases(raw))
    assert observer.restored == [b"newer", b"older"]
    assert observer.offsets == [2, 3, 4, 5]
    observer = Picky(bad_states=(b"newer", b"older"))
    Replay(raw.disk, DIRECTORY, LOG_ID, observer, interval_bytes=1).finish(raw.end, bases(raw))
    assert observer.restored == [b"newer", b"older", None]
    assert observer.offsets == [0, 1, 2, 3, 4, 5]


def put_state(raw: RawLog, offset: int, end: LogEnd, state: bytes) -> None:
    raw.disk.replace_file(state_path(DIRECTORY, offset), encode_snapshot(LOG_ID, end, state))


def without_beginning() -> RawLog:
    """The first segment is gone, and with it what an observer made of it, but for later states."""
    raw = raw_log()
    raw.disk.remove(segment_path(DIRECTORY, 0))
    return raw


def test_a_state_behind_the_first_segment_is_used_if_nothing_else_says_what_it_says() -> None:
    """A crash came between the removal of a state and that of the segment behind it."""
    raw, observer = without_beginning(), Counter()
    put_state(raw, 4, LogEnd.before(raw.placed[4].header), b"four")
    replay = Replay(raw.disk, DIRECTORY, LOG_ID, observer, interval_bytes=1)
    visit(raw, replay, 2)
    replay.finish(raw.end, bases(raw))
    assert (observer.restored, observer.offsets) == ([b"four"], [4, 5])
    assert sorted(replay.indexes) == [2, 4]
    assert (replay.last_state, replay.useless_states) == (None, set())


def test_the_state_of_an_empty_last_segment_is_that_of_the_end() -> None:
    raw, observer = raw_log(), Counter()
    raw.roll()
    put_state(raw, 6, raw.end, b"six")
    Replay(raw.disk, DIRECTORY, LOG_ID, observer, interval_bytes=1).finish(raw.end, bases(raw))
    assert (observer.restored, observer.offsets) == ([b"six"], [])


def test_a_state_of_what_recovery_has_cut_off_is_not() -> None:
    raw, observer = without_beginning(), Counter()
    put_state(raw, 4, LogEnd.before(raw.placed[4].header), b"four")
    replay = Replay(raw.disk, DIRECTORY, LOG_ID, observer, interval_bytes=1)
    for placed in raw.placed[2:3]:
        replay(2, placed.position, placed.header, memoryview(placed.body))
    replay.finish(LogEnd.behind(raw.placed[2].header), bases(raw))
    assert (observer.restored, observer.offsets) == ([None], [2])
    assert replay.useless_states == {4}


def test_a_state_where_a_segment_was_set_aside_begins_nowhere() -> None:
    raw, observer = raw_log(), Counter()
    put_state(raw, 4, LogEnd.before(raw.placed[4].header), b"four")
    replay = Replay(raw.disk, DIRECTORY, LOG_ID, observer, interval_bytes=1)
    raw.disk.remove(segment_path(DIRECTORY, 4))
    replay.finish(LogEnd.before(raw.placed[4].header), bases(raw))
    assert (observer.restored, observer.offsets) == ([b"four"], [])


@pytest.mark.parametrize("offset", [3, 4])
def test_a_state_that_cannot_be_read_or_begins_nowhere_counts_as_none(offset: int) -> None:
    raw, disk, observer = raw_log(), FaultyDisk(), Counter()
    fill(disk, take_image(raw.disk))
    end = LogEnd.before(raw.placed[offset].header)
    disk.replace_file(state_path(DIRECTORY, offset), encode_snapshot(LOG_ID, end, b"state"))
    if offset == 4:
        disk.fail = failing("open", errno.EIO, path=".state")
    Replay(disk, DIRECTORY, LOG_ID, observer, interval_bytes=1).finish(raw.end, bases(raw))
    assert (observer.restored, observer.offsets) == ([None], [0, 1, 2, 3, 4, 5])


@pytest.mark.parametrize("scanned_from", [4, 6])
@pytest.mark.parametrize("marks_before", [0, 1, 2, 3])
def test_a_state_is_found_whichever_marks_it_counts(marks_before: int, scanned_from: int) -> None:
    raw, observer = RawLog(MemoryDisk()), Counter()
    raw.data(b"a")
    raw.roll()
    marks = [raw.mark(), raw.mark(), raw.mark()]
    raw.synced()
    end = LogEnd.behind(marks[marks_before - 1].header)
    put_state(raw, 1, end if marks_before else LogEnd.before(marks[0].header), b"one")
    replay = Replay(raw.disk, DIRECTORY, LOG_ID, observer, interval_bytes=1)
    visit(raw, replay, scanned_from - 3)
    replay.finish(raw.end, bases(raw))
    assert observer.restored == [b"one"]
    assert replay.useless_states == set()


@pytest.mark.parametrize("scanned_from", [0, 4])
def test_a_batch_that_makes_no_sense_refuses_the_log_by_its_place(scanned_from: int) -> None:
    raw = raw_log()
    replay = Replay(raw.disk, DIRECTORY, LOG_ID, Picky(bad_offset=3), interval_bytes=1)
    with pytest.raises(LogRefused, match=r"upside down.*NOT_UNDERSTOOD") as refused:
        visit(raw, replay, scanned_from)
    bad = raw.placed[3]
    assert refused.value.segment == segment_path(DIRECTORY, bad.segment_base)
    assert refused.value.position == bad.position
    assert (refused.value.from_offset, refused.value.to_offset) == (3, 4)


def read_all(raw: RawLog, scanned_from: int) -> None:
    replay = Replay(raw.disk, DIRECTORY, LOG_ID, Counter(), interval_bytes=1)
    visit(raw, replay, scanned_from)
    replay.finish(raw.end, bases(raw))


def of_another_log() -> bytes:
    other = RawLog(MemoryDisk(), log_id=LOG_ID._replace(partition=1))
    other.data(b"a")
    return other.data(b"b").data


@pytest.mark.parametrize("kind", ["later", "earlier", "of another log", "rotten"])
@pytest.mark.parametrize("scanned_from", [4, 6])
def test_what_does_not_belong_into_a_sealed_segment_refuses_the_log(
    kind: str, scanned_from: int
) -> None:
    """A write that went to the wrong place is sound by its checksums."""
    raw = raw_log()
    bad = raw.placed[1]
    file = raw.disk.open(segment_path(DIRECTORY, 0))
    file.truncate(bad.position)
    data = {
        "later": raw.placed[5].data,
        "earlier": raw.placed[0].data,
        "of another log": of_another_log(),
        "rotten": bad.data[:-1] + b"?",
    }[kind]
    file.append([data])
    with pytest.raises(CorruptLog) as corrupt:
        read_all(raw, scanned_from)
    assert (corrupt.value.segment, corrupt.value.position) == (file.path, bad.position)
    assert (corrupt.value.from_offset, corrupt.value.to_offset) == (1, min(scanned_from, 6))


def test_a_sealed_segment_that_does_not_continue_the_one_before_it_refuses_the_log() -> None:
    """Another history of the same log: each segment is sound by itself."""
    raw, other = raw_log(), RawLog(MemoryDisk())
    for value in (b"other", b"b"):
        other.data(value)
    file = raw.disk.open(segment_path(DIRECTORY, 0))
    file.truncate(0)
    file.append([placed.data for placed in other.placed])
    with pytest.raises(CorruptLog) as corrupt:
        read_all(raw, 6)
    assert (corrupt.value.segment, corrupt.value.position) == (segment_path(DIRECTORY, 2), 0)


def test_a_segment_that_cannot_be_opened_refuses_the_log() -> None:
    """Nobody has looked into it: the index says that it is sound, and the state is lost."""
    raw = raw_log()
    disk = FaultyDisk()
    fill(disk, take_image(raw.disk))
    disk.fail = failing("open", errno.EIO, path=segment_path(DIRECTORY, 2))
    replay = Replay(disk, DIRECTORY, LOG_ID, Counter(), interval_bytes=1)
    with pytest.raises(LogRefused, match=r"cannot be read.*open fails") as caught:
        replay.finish(raw.end, bases(raw))
    assert (caught.value.row, caught.value.segment) == ("UNREADABLE", segment_path(DIRECTORY, 2))


def test_no_file_left_to_be_opened_does_not_say_that_there_is_no_state() -> None:
    """Retention may have removed what it is of: dedup windows would be gone without a word."""
    raw = raw_log()
    end = LogEnd.before(raw.placed[4].header)
    disk, observer = FaultyDisk(), Counter()
    fill(disk, take_image(raw.disk))
    disk.replace_file(state_path(DIRECTORY, 4), encode_snapshot(LOG_ID, end, b"of all before"))
    for base in (0, 2):
        disk.remove(segment_path(DIRECTORY, base))
    disk.fail = failing("open", errno.EMFILE, path=".state")
    with pytest.raises(OSError, match="open fails"):
        Replay(disk, DIRECTORY, LOG_ID, observer, interval_bytes=1).finish(raw.end, bases(raw))
    disk.fail = lambda operation, path: None
    Replay(disk, DIRECTORY, LOG_ID, observer, interval_bytes=1).finish(raw.end, bases(raw))
    assert (observer.restored, observer.offsets) == ([b"of all before"], [4, 5])


def test_a_directory_that_cannot_be_listed_refuses_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = raw_log().disk

    def fail(path: str) -> list[str]:
        raise OSError(errno.EIO, "input/output error", path)

    monkeypatch.setattr(disk, "list_directory", fail)
    with pytest.raises(LogRefused, match=r"cannot be read") as caught:
        Replay(disk, DIRECTORY, LOG_ID, Counter(), interval_bytes=1)
    assert caught.value.row == "UNREADABLE"
