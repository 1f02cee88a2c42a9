"""What an observer knows outlives the segments that it was derived from: the log's way of it."""

import errno

import pytest

from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.index import Index
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.paths import index_path, state_path
from tapemq_broker.storage.record_log import LogSettings
from tests.support.faulty_disk import FaultyDisk, failing
from tests.support.logs import DIRECTORY, LOG_ID, CountingObserver, batch_of, sync

SETTINGS = LogSettings(segment_bytes=600)


class CountedLog:
    """A log in small segments whose observer counts its records."""

    def __init__(self) -> None:
        self.disk = FaultyDisk()
        self.records = 0
        self.open()

    def open(self, clean: CleanEntry | None = None) -> None:
        self.observer = CountingObserver()
        self.log = Log.open(
            self.disk,
            DIRECTORY,
            LOG_ID,
            settings=SETTINGS,
            observer=self.observer,
            clean=clean,
            now_us=9,
        )

    def fill(self, segments: int) -> None:
        """Append until there are so many more segments, and sync each batch."""
        wanted = len(self.log.segments()) + segments
        while len(self.log.segments()) < wanted:
            self.append()
        self.sync()

    def append(self) -> None:
        self.log.append(batch_of(b"x" * 100), 5)
        self.observer.records += 1
        self.records += 1
        self.sync()

    def sync(self) -> None:
        sync(self.log, self.disk)

    def have_no_room_for_states(self) -> None:
        self.disk.fail = failing("create", errno.ENOSPC, path=".state")

    def have_room(self) -> None:
        self.disk.fail = lambda operation, path: None

    @property
    def bases(self) -> list[int]:
        return [segment.base_offset for segment in self.log.segments()]

    @property
    def states(self) -> list[str]:
        names = self.disk.list_directory(DIRECTORY)
        return sorted(f"{DIRECTORY}/{name}" for name in names if name.endswith(".state"))

    def cut_power(self) -> None:
        """And start again: nothing must be forgotten."""
        self.disk.power_cut()
        self.open()
        assert self.observer.records == self.records


@pytest.fixture
def counted() -> CountedLog:
    return CountedLog()


def test_no_segment_goes_before_the_state_of_what_is_in_it_is_on_disk(counted: CountedLog) -> None:
    """A producer of whom only that segment knew would be forgotten in a power cut."""
    log = counted.log
    while len(log.segments()) < 2:
        log.append(batch_of(b"x" * 100), 5)
        counted.observer.records += 1
        counted.records += 1
    counted.sync()
    base_offset = counted.bases[-1]
    log.mark(6)  # another round may take longer than the log must rest for that
    log.truncate_front(base_offset)
    assert log.has_unsynced_caches
    assert log.first_offset == 0
    counted.sync()
    log.truncate_front(base_offset)
    assert log.first_offset == base_offset
    counted.cut_power()


def test_no_segment_goes_while_there_is_no_room_for_the_state(counted: CountedLog) -> None:
    counted.fill(segments=2)
    _, known, _ = counted.bases[-3:]
    counted.have_no_room_for_states()
    counted.fill(segments=2)
    counted.log.truncate_front(counted.bases[-1])
    assert not counted.log.has_unsynced_caches
    counted.sync()
    counted.log.truncate_front(counted.bases[-1])
    assert known <= counted.log.first_offset < counted.bases[-1]
    counted.have_room()
    counted.cut_power()


def test_it_is_written_as_soon_as_there_is_room_again(counted: CountedLog) -> None:
    counted.have_no_room_for_states()
    counted.fill(segments=2)
    counted.have_room()
    counted.log.truncate_front(counted.bases[-1])
    assert counted.log.first_offset == 0
    assert counted.log.has_unsynced_caches
    counted.sync()
    counted.log.truncate_front(counted.bases[-1])
    assert counted.log.first_offset == counted.bases[-1]
    assert counted.log.begin_sync().files == []  # it is written once
    counted.cut_power()


@pytest.mark.parametrize("is_clean", [False, True])
def test_a_start_knows_which_state_is_missing(counted: CountedLog, is_clean: bool) -> None:
    counted.have_no_room_for_states()
    counted.fill(segments=2)
    clean = counted.log.close(clean=True, now_us=9)
    counted.open(clean if is_clean else None)
    assert (counted.log.recovered.row is Row.CLEAN) == is_clean
    counted.log.truncate_front(counted.bases[-1])
    assert counted.log.first_offset == 0
    counted.have_room()
    counted.cut_power()


def test_without_a_state_not_even_the_first_record_goes(counted: CountedLog) -> None:
    counted.have_no_room_for_states()
    counted.append()
    counted.log.roll()
    counted.append()
    counted.log.truncate_front(1)
    assert counted.log.first_offset == 0


def test_after_a_kill_retention_goes_on_where_it_was(counted: CountedLog) -> None:
    counted.fill(segments=3)
    counted.open()
    counted.log.truncate_front(counted.bases[-1])
    assert len(counted.bases) == 1
    counted.cut_power()


def test_a_start_that_cannot_write_the_last_state_anew_does_not_count_on_it(
    counted: CountedLog,
) -> None:
    counted.fill(segments=3)
    *_, known, newest = counted.bases
    counted.disk.remove(index_path(DIRECTORY, known))  # so that it is read, and what is behind it
    counted.have_no_room_for_states()
    counted.open()
    assert counted.states == [state_path(DIRECTORY, known)]
    counted.log.truncate_front(newest)
    assert counted.log.first_offset == known
    counted.have_room()
    counted.cut_power()


def test_indexes_say_whether_more_may_have_come_behind_them(counted: CountedLog) -> None:
    counted.fill(segments=1)
    first, last = counted.bases
    counted.log.close(clean=True, now_us=9)
    for base, is_complete in ((first, True), (last, False)):
        found = Index.decode(counted.disk.read_file(index_path(DIRECTORY, base)) or b"")
        assert found is not None
        assert found[0].complete == is_complete
    assert counted.states[-1] == state_path(DIRECTORY, counted.log.next_offset)


def test_the_index_of_a_segment_that_was_empty_at_a_start_is_written(counted: CountedLog) -> None:
    counted.fill(segments=1)
    counted.log.roll()
    counted.sync()
    counted.open()
    base = counted.bases[-1]
    counted.fill(segments=1)
    found = Index.decode(counted.disk.read_file(index_path(DIRECTORY, base)) or b"")
    assert found is not None


def test_a_state_that_is_written_while_a_round_is_under_way_waits_for_the_next(
    counted: CountedLog,
) -> None:
    counted.have_no_room_for_states()
    counted.fill(segments=2)
    counted.have_room()
    round_before = counted.log.begin_sync()
    counted.log.truncate_front(counted.bases[-1])
    counted.log.mark_durable(round_before)
    counted.log.truncate_front(counted.bases[-1])
    assert counted.log.first_offset == 0
    counted.cut_power()


def test_a_damaged_state_counts_for_nothing(counted: CountedLog) -> None:
    counted.fill(segments=3)
    *_, known, newest = counted.bases
    clean = counted.log.close(clean=True, now_us=9)
    counted.disk.remove(state_path(DIRECTORY, counted.log.next_offset))
    counted.disk.replace_file(state_path(DIRECTORY, newest), b"x")
    counted.open(clean)
    assert counted.log.recovered.row is Row.CLEAN
    counted.log.truncate_front(newest)
    assert counted.log.first_offset == known
    counted.cut_power()


def test_a_damaged_state_counts_for_nothing_though_a_clean_stop_left_a_later_one(
    counted: CountedLog,
) -> None:
    """That one goes at the start; then the damaged one would be all that is left."""
    counted.fill(segments=3)
    *_, known, newest = counted.bases
    clean = counted.log.close(clean=True, now_us=9)
    counted.disk.replace_file(state_path(DIRECTORY, newest), b"x")
    counted.open(clean)
    assert counted.log.recovered.row is Row.CLEAN
    counted.log.truncate_front(newest)
    assert counted.log.first_offset == known
    counted.cut_power()


def test_a_damaged_state_is_written_anew_at_the_next_start(counted: CountedLog) -> None:
    """As long as what it was made of is there."""
    counted.fill(segments=3)
    newest = state_path(DIRECTORY, counted.bases[-1])
    sound = counted.disk.read_file(newest)
    counted.disk.replace_file(newest, b"x")
    counted.cut_power()
    assert counted.disk.read_file(newest) == sound
    counted.log.truncate_front(counted.bases[-1])
    assert len(counted.bases) == 1
    counted.cut_power()


@pytest.mark.parametrize("is_clean", [False, True])
def test_a_state_is_of_use_though_marks_alone_lie_behind_it(
    counted: CountedLog, is_clean: bool
) -> None:
    """It is not written again at a stop, and is as of where its segment begins."""
    counted.fill(segments=3)
    counted.have_no_room_for_states()
    counted.fill(segments=1)
    counted.have_room()
    counted.log.roll()
    counted.sync()
    counted.log.mark(6)
    counted.sync()
    counted.log.truncate_front(counted.bases[-1])
    state = state_path(DIRECTORY, counted.bases[-1])
    assert counted.states == [state]
    assert len(counted.bases) == 2
    counted.have_no_room_for_states()  # to write it once more
    clean = counted.log.close(clean=True, now_us=9)
    counted.open(clean if is_clean else None)
    assert (counted.log.recovered.row is Row.CLEAN) == is_clean
    assert counted.observer.records == counted.records
    assert counted.states == [state]


def test_a_clean_stop_brings_the_state_to_the_disk(counted: CountedLog) -> None:
    """The next start believes so, and retention does."""
    counted.fill(segments=1)
    counted.log.mark(6)
    counted.sync()
    counted.log.roll()
    counted.open(counted.log.close(clean=True, now_us=9))
    counted.append()
    counted.log.truncate_front(counted.bases[-1])
    assert len(counted.bases) == 1
    counted.cut_power()


@pytest.mark.parametrize("gone", [1, 2])
def test_a_crash_amid_the_removal_of_a_segment_forgets_nothing(
    counted: CountedLog, gone: int
) -> None:
    """Its index and its state are gone by then."""
    counted.fill(segments=3)
    counted.log.truncate_front(counted.bases[-2])
    segment = counted.log._segments[-2]
    for path in segment.all_paths[:gone]:
        counted.disk.remove(path)
    counted.open()
    assert counted.observer.records == counted.records
    counted.cut_power()


def test_a_state_is_removed_when_the_next_but_one_is_written(counted: CountedLog) -> None:
    counted.fill(segments=5)
    assert counted.states == [state_path(DIRECTORY, base) for base in counted.bases[-2:]]
