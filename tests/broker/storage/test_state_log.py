import errno
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest

from tapemq.batch import Header, Kind, LogId, Role, decode_prefix, iter_batches
from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.disk import Buffer
from tapemq_broker.storage.errors import LogFull, LogRefused
from tapemq_broker.storage.last_values import PART_BYTES
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.paths import state_path
from tapemq_broker.storage.record_log import LogSettings
from tapemq_broker.storage.repair import repair
from tapemq_broker.storage.repair_plan import Hole, Mode
from tapemq_broker.storage.state_log import SNAPSHOT_BYTES_MIN, StateLog
from tests.support.crashing_disk import CrashingDisk
from tests.support.disk_image import flipped, make_disk, take_image

LOG_ID = LogId(3, 0, Role.GROUPS)
DIRECTORY = "topics/default/orders~0000000000000003/0.groups"
SETTINGS = LogSettings(segment_bytes=512 * 1024)
NOW_US = 1_000_000
VALUE = b"x" * 1000


def open_state(disk: MemoryDisk, clean: CleanEntry | None = None) -> StateLog:
    return StateLog.open(
        disk, DIRECTORY, LOG_ID, Kind.GROUP, clean=clean, now_us=NOW_US, settings=SETTINGS
    )


def sync(disk: MemoryDisk, state: StateLog) -> None:
    target = state.log.begin_sync()
    for file in target.files:
        disk.sync_now(file)
    state.log.mark_durable(target)


def fill_up(disk: MemoryDisk, state: StateLog, puts: int, keys: int = 40) -> None:
    """Write ``puts`` times 10 KB over a few keys."""
    for number in range(puts):
        state.put({b"%d" % ((number + i) % keys): VALUE for i in range(10)}, NOW_US)
        sync(disk, state)


def size_of(disk: MemoryDisk) -> int:
    return sum(len(data) for path, data in take_image(disk).items() if path.endswith(".log"))


def test_last_values_come_back() -> None:
    disk = MemoryDisk()
    state = open_state(disk)
    assert state.entries == {}
    assert state.put({b"a": b"1", b"b": b"2"}, NOW_US) == 2
    assert state.put({b"a": b"3", b"b": None}, NOW_US) == 4
    assert state.put({}, NOW_US) == 4
    assert state.entries == {b"a": b"3"}
    sync(disk, state)
    disk.power_cut()
    assert open_state(disk).entries == {b"a": b"3"}


def test_put_is_durable_when_the_log_is_up_to_its_offset() -> None:
    disk = MemoryDisk()
    state = open_state(disk)
    state.put({b"a": b"1"}, NOW_US)
    sync(disk, state)
    end = state.put({b"a": b"2"}, NOW_US)
    assert state.log.durable_offset < end
    disk.power_cut()
    assert open_state(disk).entries == {b"a": b"1"}


def test_clean_stop_needs_no_scan() -> None:
    disk = MemoryDisk()
    state = open_state(disk)
    fill_up(disk, state, 150)
    clean = state.close(clean=True, now_us=NOW_US)
    assert clean is not None
    again = open_state(disk, clean)
    assert again.entries == state.entries
    assert again.log.recovered.tail_base is None


def test_log_stays_within_a_few_times_the_state() -> None:
    disk = MemoryDisk()
    state = open_state(disk)
    for _ in range(5):
        fill_up(disk, state, 150)
        assert size_of(disk) < 3 * SNAPSHOT_BYTES_MIN
        assert open_state(make_disk(take_image(disk))).entries == state.entries


def test_large_state_waits_for_more_changes_before_the_next_snapshot() -> None:
    disk = MemoryDisk()
    state = open_state(disk)
    put_bytes, dropped_at = 0, [0]
    for number in range(1500):
        first, before = state.log.first_offset, state.log.size_bytes
        state.put({b"%d" % (number % 100): VALUE * 10}, NOW_US)
        put_bytes += len(VALUE) * 10
        sync(disk, state)
        if state.log.first_offset > first:
            dropped_at.append(put_bytes)
            assert state.log.size_bytes < before
    between = [after - before for before, after in pairwise(dropped_at)]
    assert between[0] < 2 * SNAPSHOT_BYTES_MIN
    assert min(between[1:]) > 3 * 100 * 10 * len(VALUE)


def test_no_put_writes_more_than_one_part() -> None:
    disk = MemoryDisk()
    state = open_state(disk)
    for number in range(40):
        state.put({b"%d" % number: bytes(PART_BYTES // 2)}, NOW_US)
        sync(disk, state)
    for _ in range(40):
        before = state.log.size_bytes
        state.put({b"small": b"change"}, NOW_US)
        assert state.log.size_bytes - before < 2 * PART_BYTES
        sync(disk, state)
    assert state.log.first_offset > 0


def test_opening_it_changes_nothing_that_a_clean_stop_noted() -> None:
    """Whoever opens it may refuse what it says, and then it is opened with the same note again."""
    disk = MemoryDisk()
    state = open_state(disk)
    fill_up(disk, state, 100)
    while state._state.snapshot_end == 0:  # no further than to the end of a snapshot
        state.put({b"more": VALUE}, NOW_US)
        sync(disk, state)
    assert state.log.first_offset == 0
    clean = state.close(clean=True, now_us=NOW_US)
    for _ in range(2):
        state = open_state(disk, clean)
        assert state.log.recovered.row is Row.CLEAN
        state.close(clean=False, now_us=NOW_US)
    state = open_state(disk, clean)
    state.put({b"more": VALUE}, NOW_US)
    assert state.log.first_offset > 0


class FullDisk(MemoryDisk):
    """Has no room for writes larger than ``room_bytes``."""

    room_bytes = 1 << 40

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        return FullFile(super().open(path, create=create), self)


class FullFile(MemoryFile):
    def __init__(self, file: MemoryFile, disk: FullDisk) -> None:
        super().__init__(file.path, file.content, file.new_in)
        self._disk = disk

    def append(self, buffers: Sequence[Buffer]) -> None:
        if sum(map(len, buffers)) > self._disk.room_bytes:
            raise OSError(errno.ENOSPC, "no space left on device")
        super().append(buffers)


def test_full_disk_changes_nothing() -> None:
    disk = FullDisk()
    state = open_state(disk)
    state.put({b"a": b"1"}, NOW_US)
    disk.room_bytes = 0
    with pytest.raises(LogFull):
        state.put({b"a": b"2"}, NOW_US)
    assert state.entries == {b"a": b"1"}
    disk.room_bytes = 1 << 40
    state.put({b"a": b"3"}, NOW_US)
    assert open_state(disk).entries == {b"a": b"3"}


def test_snapshot_without_room_is_written_later() -> None:
    disk = FullDisk()
    state = open_state(disk)
    disk.room_bytes = 20_000
    fill_up(disk, state, 200)
    assert state.log.first_offset == 0
    disk.room_bytes = 1 << 40
    fill_up(disk, state, SNAPSHOT_BYTES_MIN // 3 // 10_000)
    assert state.log.first_offset > 0
    assert open_state(make_disk(take_image(disk))).entries == state.entries


def test_what_fits_while_a_snapshot_does_not_is_never_forgotten() -> None:
    """Small changes find room that the first part of a snapshot does not."""
    disk = FullDisk()
    state = open_state(disk)
    disk.room_bytes = 20_000
    fill_up(disk, state, 120)  # a snapshot is due, and has no room
    state.put({b"new": b"1", b"7": None, b"8": b"other"}, NOW_US)
    disk.room_bytes = 1 << 40
    for number in range(SNAPSHOT_BYTES_MIN // 4 // len(VALUE)):
        state.put({b"again": VALUE, b"later": b"%d" % number}, NOW_US)
        sync(disk, state)
    assert state.log.first_offset > 0  # there is a snapshot
    assert state.entries.keys() >= {b"new", b"8"}
    assert open_state(make_disk(take_image(disk))).entries == state.entries


def test_snapshot_that_finds_no_room_makes_few_segments() -> None:
    disk = FullDisk()
    state = open_state(disk)
    disk.room_bytes = 20_000
    fill_up(disk, state, 300)
    attempts = state.log.size_bytes // (SNAPSHOT_BYTES_MIN // 4)
    assert len(state.log.segments()) <= attempts + state.log.size_bytes // SETTINGS.segment_bytes


@pytest.mark.parametrize("seed", range(5))
def test_power_cut_leaves_the_state_after_some_put_that_was_not_synced(seed: int) -> None:
    random = Random(seed)
    disk = CrashingDisk(random)
    state = open_state(disk)
    possible = [dict(state.entries)]
    for _ in range(500):
        key, value = b"%d" % random.randrange(30), random.choice([None, VALUE * 8])
        state.put({key: value}, NOW_US)
        possible.append(dict(state.entries))
        if random.random() < 0.3:
            sync(disk, state)
            del possible[:-1]
        if random.random() < 0.03:
            disk.power_cut()
            state = open_state(disk)
            assert state.entries in possible
            possible = [dict(state.entries)]
    assert state.log.first_offset > 0


def test_rotten_state_is_refused_by_name() -> None:
    disk = MemoryDisk()
    state = open_state(disk)
    for _ in range(3):
        state.put({b"a": b"1"}, NOW_US)
        sync(disk, state)
    image = take_image(disk)
    path = f"{DIRECTORY}/{0:020}.log"
    image[path] = flipped(image[path], 8 * 100)
    with pytest.raises(LogRefused, match=DIRECTORY):
        open_state(make_disk(image))


@pytest.mark.parametrize("lost", range(4))
def test_a_repair_costs_no_entry_of_the_parts_of_a_snapshot_that_are_left(lost: int) -> None:
    """They are all that is left of it, once what was in front of the snapshot was removed."""
    disk, expected, hole = salvaged(lost)
    for _ in range(2):
        state = open_state(disk)
        assert state.entries.items() <= expected.items()
        assert len(state.entries) >= len(expected) - (hole.to_offset - hole.from_offset)
        fill_up(disk, state, 60, keys=9)
        state.close(clean=True, now_us=NOW_US)


def test_states_are_written_behind_a_repair_that_lost_the_end_of_a_snapshot() -> None:
    """Else each start adds up all of the log, and nothing goes from it, until the next snapshot."""
    disk, _, _ = salvaged(-1)
    state = open_state(disk)
    state.close(clean=True, now_us=NOW_US)
    assert disk.read_file(state_path(DIRECTORY, state.log.next_offset)) is not None


def salvaged(lost: int) -> tuple[MemoryDisk, dict[bytes, bytes], Hole]:
    """A disk on which one part of a snapshot was damaged and given up, what there was, and where
    the part was."""
    disk = MemoryDisk()
    state = open_state(disk)
    for number in range(300):
        state.put({b"%d" % number: VALUE * 3}, NOW_US)
        sync(disk, state)
    fill_up(disk, state, 150, keys=9)
    expected = dict(state.entries)
    assert state.log.first_offset > 0
    image = take_image(disk)
    path, header = parts_of(state, image)[lost]
    data = image[path]
    at = data.index(header.encode()[0])
    image[path] = flipped(data, 8 * (at + 500))
    disk = make_disk(image)
    directory = DataDirectory(disk, bytes(16))
    place = directory.place_of(DIRECTORY)
    assert place is not None
    report = repair(directory, place, Mode.SALVAGE, confirm=True, now_us=NOW_US)
    (hole,) = report.holes
    return disk, expected, hole


def parts_of(state: StateLog, image: dict[str, bytes]) -> list[tuple[str, Header]]:
    """The parts of the snapshot that a log begins with, and their files."""
    found: list[tuple[str, Header]] = []
    for path in sorted(path for path in image if path.endswith(".log")):
        for header, body in iter_batches(memoryview(image[path])):
            if header.record_count and decode_prefix(body).extension_length:
                found.append((path, header))
    assert found[0][1].base_offset == state.log.first_offset
    return found
