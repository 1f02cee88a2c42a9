"""What an observer is told while a log is opened."""

from collections.abc import Callable

import pytest

from tapemq.batch import Header, Kind, decode_columns
from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.errors import CorruptLog
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.paths import index_path, segment_path, state_path
from tapemq_broker.storage.record_log import LogSettings
from tests.support.logs import DIRECTORY, LOG_ID, batch_of, sync

SETTINGS = LogSettings(segment_bytes=600, index_interval_bytes=200)


class Listing:
    """Its state is the list of all values, separated by spaces."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.restored: list[bytes | None] = []
        self.observed = 0

    def restore(self, state: bytes | None) -> None:
        self.restored.append(state)
        self.values = (state or b"").split()

    def observe(self, header: Header, body: memoryview) -> None:
        assert self.restored, "restore() comes first"
        if header.kind is Kind.DATA:
            self.observed += 1
            self.values += [value or b"" for value in decode_columns(body).values]

    def snapshot(self) -> bytes:
        return b" ".join(self.values)


class Setup:
    """A log of several segments, with one value of two digits in each batch."""

    def __init__(self) -> None:
        self.disk = MemoryDisk()
        self.observer = Listing()
        self.log = self.open()

    def open(self, clean: CleanEntry | None = None) -> Log:
        self.observer = Listing()
        self.log = Log.open(
            self.disk,
            DIRECTORY,
            LOG_ID,
            settings=SETTINGS,
            observer=self.observer,
            clean=clean,
            now_us=1,
        )
        return self.log

    def append(self, *values: int) -> None:
        for value in values:
            self.log.append(batch_of(b"%02d" % value), value)
            self.observer.values.append(b"%02d" % value)
            sync(self.log, self.disk)

    def expect(self, *values: int) -> None:
        assert self.observer.values == [b"%02d" % value for value in values]

    def bases(self) -> list[int]:
        return [info.base_offset for info in self.log.segments()]


@pytest.fixture
def setup() -> Setup:
    setup = Setup()
    setup.append(*range(18))
    assert setup.bases() == [0, 4, 8, 12, 16]
    return setup


def test_a_new_log_begins_with_nothing() -> None:
    assert Setup().observer.restored == [None]


def test_after_a_crash_only_the_last_segment_is_observed(setup: Setup) -> None:
    setup.open()
    assert setup.observer.restored == [b" ".join(b"%02d" % value for value in range(16))]
    assert setup.observer.observed == 2
    setup.expect(*range(18))


def test_after_a_clean_stop_nothing_is_observed(setup: Setup) -> None:
    entry = setup.log.close(clean=True, now_us=20)
    setup.open(entry)
    assert setup.observer.observed == 0
    setup.expect(*range(18))
    setup.append(18)
    setup.open()
    setup.expect(*range(19))


def test_states_of_earlier_stops_are_removed(setup: Setup) -> None:
    setup.open(setup.log.close(clean=True, now_us=20))
    assert setup.disk.size_bytes(state_path(DIRECTORY, 18)) is None
    assert setup.disk.size_bytes(state_path(DIRECTORY, 16)) is not None


def test_the_two_newest_states_are_kept(setup: Setup) -> None:
    states = [name for name in setup.disk.list_directory(DIRECTORY) if name.endswith(".state")]
    assert [int(name.removesuffix(".state")) for name in states] == [12, 16]


def lose_newest_state(disk: MemoryDisk) -> None:
    disk.remove(state_path(DIRECTORY, 16))


def damage_newest_state(disk: MemoryDisk) -> None:
    data = bytearray(disk.read_file(state_path(DIRECTORY, 16)) or b"")
    data[-6] ^= 1
    disk.replace_file(state_path(DIRECTORY, 16), bytes(data))


def lose_newest_state_and_index(disk: MemoryDisk) -> None:
    lose_newest_state(disk)
    disk.remove(index_path(DIRECTORY, 12))


def lose_all_states(disk: MemoryDisk) -> None:
    for name in disk.list_directory(DIRECTORY):
        if name.endswith(".state"):
            disk.remove(f"{DIRECTORY}/{name}")


def lose_all_indexes(disk: MemoryDisk) -> None:
    for name in disk.list_directory(DIRECTORY):
        if name.endswith(".index"):
            disk.remove(f"{DIRECTORY}/{name}")


def lose_all_caches(disk: MemoryDisk) -> None:
    for name in disk.list_directory(DIRECTORY):
        if not name.endswith(".log"):
            disk.remove(f"{DIRECTORY}/{name}")


@pytest.mark.parametrize(
    ("damage", "observed"),
    [
        (lose_newest_state, 6),
        (damage_newest_state, 6),
        (lose_newest_state_and_index, 6),
        (lose_all_states, 18),
        (lose_all_indexes, 18),
        (lose_all_caches, 18),
    ],
)
def test_missing_caches_cost_reading_and_nothing_else(
    setup: Setup, damage: Callable[[MemoryDisk], None], observed: int
) -> None:
    damage(setup.disk)
    setup.open()
    assert setup.observer.observed == observed
    setup.expect(*range(18))
    setup.open()
    setup.expect(*range(18))


def test_a_clean_stop_without_its_state_costs_reading(setup: Setup) -> None:
    entry = setup.log.close(clean=True, now_us=20)
    setup.disk.remove(state_path(DIRECTORY, 18))
    setup.open(entry)
    assert setup.observer.observed == 2
    setup.expect(*range(18))


def test_behind_a_removed_front_the_state_still_counts_it(setup: Setup) -> None:
    setup.log.truncate_front(17)
    assert setup.bases() == [16]
    setup.open()
    setup.expect(*range(18))
    lose_all_states(setup.disk)
    setup.open()
    setup.expect(16, 17)


def test_a_segment_scanned_at_a_start_is_not_scanned_at_the_next(setup: Setup) -> None:
    lose_all_caches(setup.disk)
    setup.open()
    assert setup.observer.observed == 18
    setup.open()
    assert setup.observer.observed == 2


def test_a_roll_just_before_a_crash_costs_nothing(setup: Setup) -> None:
    assert setup.log.roll()
    sync(setup.log, setup.disk)
    setup.open()
    assert setup.bases()[-1] == 18
    setup.expect(*range(18))


def test_a_roll_without_its_seal_is_scanned_once(setup: Setup) -> None:
    assert setup.log.roll()
    setup.disk.sync_directory(DIRECTORY)
    setup.open()
    assert setup.observer.observed == 2
    setup.expect(*range(18))
    setup.open()
    assert setup.observer.observed == 0
    setup.expect(*range(18))


def test_a_state_of_a_tail_that_was_cut_off_does_not_apply() -> None:
    setup = Setup()
    for value in range(4):
        setup.append(value)
    for value in (44, 45, 46, 47):
        setup.log.append(batch_of(b"%02d" % value), value)
        setup.observer.values.append(b"%02d" % value)
    lost = setup.observer.snapshot()
    setup.disk.power_cut()
    setup.open()
    setup.expect(*range(4))
    setup.append(*range(4, 10))
    assert setup.bases() == [0, 4, 8]
    kept = setup.disk.read_file(state_path(DIRECTORY, 8)) or b""
    forged = kept.replace(b" ".join(b"%02d" % value for value in range(8)), lost)
    assert forged != kept
    setup.disk.replace_file(state_path(DIRECTORY, 8), forged)
    setup.open()
    setup.expect(*range(10))


def test_damage_in_what_must_be_read_again_refuses_the_log(setup: Setup) -> None:
    lose_all_states(setup.disk)
    file = setup.disk.open(segment_path(DIRECTORY, 4))
    assert isinstance(file, MemoryFile)
    file.content.now[100] ^= 1
    with pytest.raises(CorruptLog) as caught:
        setup.open()
    assert caught.value.segment == segment_path(DIRECTORY, 4)


def test_an_observer_may_come_later_while_the_log_is_empty() -> None:
    setup = Setup()
    setup.log = Log.open(setup.disk, "later", LOG_ID, settings=SETTINGS, now_us=1)
    setup.log.observer = setup.observer
    setup.append(*range(6))
    assert setup.disk.size_bytes(state_path("later", 4)) is not None
