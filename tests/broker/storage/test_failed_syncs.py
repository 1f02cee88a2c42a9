"""A sync failed, the process ended, and the next one starts on what the page cache shows.

The disk takes the bytes of the failed sync for clean, as Linux does: they can be read, no later
sync writes them, and a power cut loses them.
"""

import errno
from collections.abc import Callable
from contextlib import suppress

import pytest

from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.disk import Buffer, Disk, File
from tapemq_broker.storage.errors import LogRefused, SyncFailed
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.paths import segment_path, state_path
from tapemq_broker.storage.record_log import LogSettings
from tapemq_broker.storage.recovery import Recovered, recover
from tapemq_broker.storage.torn import torn_names
from tests.support.crashing_disk import Crash, CrashingDisk
from tests.support.disk_image import fill, take_image
from tests.support.logs import CountingObserver, batch_of, read_all, sync
from tests.support.raw_log import DIRECTORY, LOG_ID, RawLog
from tests.support.recovery_cases import CASES, Case, Damage, build_log, prepare

NOW_US = 5_000_000

Write = Callable[["FailingLog"], None]


class FailingLog(RawLog):
    """A log that begins with a batch of 1,000 bytes on disk."""

    def __init__(self, memory: MemoryDisk | None = None) -> None:
        self.memory = memory or MemoryDisk()
        super().__init__(self.memory)
        self.data(b"synced" * 160)
        self.synced()

    def fail(self) -> None:
        """The sync of all that is not on disk fails."""
        for base in {placed.segment_base for placed in self.placed}:
            with suppress(OSError):
                self.memory.fail_sync_now(self.memory.open(segment_path(DIRECTORY, base)))


def tail(log: FailingLog) -> None:
    log.data(b"not" * 400)
    log.data(b"not either")


def mark(log: FailingLog) -> None:
    log.mark()


def new_segment(log: FailingLog) -> None:
    log.roll()
    log.data(b"not")


def two_segments(log: FailingLog) -> None:
    log.data(b"not" * 400)
    log.roll()
    log.data(b"not either")


WRITERS = (tail, mark, new_segment, two_segments)


@pytest.fixture(params=WRITERS, ids=[write.__name__ for write in WRITERS])
def write(request: pytest.FixtureRequest) -> Write:
    write: Write = request.param
    return write


def failed(write: Write, memory: MemoryDisk | None = None) -> FailingLog:
    log = FailingLog(memory)
    write(log)
    log.fail()
    return log


@pytest.fixture
def log(write: Write) -> FailingLog:
    return failed(write)


def run(disk: Disk) -> Recovered:
    return recover(disk, DIRECTORY, LOG_ID, clean=None, durable_floor=0, now_us=NOW_US)


def test_the_disk_really_loses_what_is_not_written_again(log: FailingLog) -> None:
    before = take_image(log.memory)
    log.synced()
    assert take_image(log.memory) == before
    log.memory.power_cut()
    assert take_image(log.memory) != before


def test_what_recovery_accepts_is_on_disk(log: FailingLog) -> None:
    first = run(log.memory)
    assert first.end.next_offset == log.end.next_offset
    log.memory.power_cut()
    second = run(log.memory)
    assert second.end == first.end
    assert second.segments == first.segments


def test_what_was_never_synced_at_all_is_on_disk() -> None:
    disk = MemoryDisk()
    log = RawLog(disk)
    log.data(b"first")
    with pytest.raises(OSError, match="Input/output"):
        disk.fail_sync_now(disk.open(log.path))
    first = run(disk)
    disk.power_cut()
    assert run(disk).end == first.end
    assert first.end.next_offset == 1


def test_what_the_page_cache_has_dropped_is_cut_off(log: FailingLog) -> None:
    """It was never acknowledged. The mark was not needed, for it holds no records."""
    log.memory.evict()
    recovered = run(log.memory)
    assert recovered.row.cuts
    assert recovered.end.next_offset == 1
    log.memory.power_cut()
    assert run(log.memory).end == recovered.end


@pytest.mark.parametrize("tears", [False, True], ids=["whole", "torn"])
def test_start_that_is_killed_anywhere_is_made_good_by_the_next(write: Write, tears: bool) -> None:
    """Between dropping pages and writing them, a kill may cost what was never acknowledged."""
    ends = set()
    undisturbed = failed(write, CrashingDisk())
    start = undisturbed.memory.calls  # type: ignore[attr-defined]
    run(undisturbed.memory)
    for call in range(start, undisturbed.memory.calls):  # type: ignore[attr-defined]
        disk = CrashingDisk(tears=tears)
        log = failed(write, disk)
        disk.crash_at = call
        with pytest.raises(Crash):
            run(disk)
        end = run(disk).end
        disk.power_cut()
        assert run(disk).end == end
        assert 1 <= end.next_offset <= log.end.next_offset
        ends.add(end.next_offset)
    assert undisturbed.end.next_offset in ends


class FailsOneSync(MemoryDisk):
    """Once told, the sync with a number fails, counted from 0."""

    number: int | None = None

    def sync_now(self, file: File) -> None:
        if self.number is not None:
            self.number -= 1
            if self.number < 0:
                self.number = None
                self.fail_sync_now(file)
        super().sync_now(file)


OPENED = [case for case in CASES if not case.row.refuses]


@pytest.mark.parametrize("case", OPENED, ids=[case.name for case in OPENED])
def test_sync_that_fails_inside_recovery_is_made_good_by_the_next(case: Case) -> None:
    image = take_image(prepare(case)[0])
    claims = prepare(case)[1]._asdict()
    undisturbed = MemoryDisk()
    fill(undisturbed, image)
    expected = recover(undisturbed, DIRECTORY, LOG_ID, **claims, now_us=NOW_US)
    aside = [undisturbed.read_file(path) for path, _ in expected.cut]
    for number in range(9):
        disk = FailsOneSync()
        fill(disk, image)
        disk.number = number
        with suppress(OSError):
            recover(disk, DIRECTORY, LOG_ID, **claims, now_us=NOW_US)
        disk.number = None
        again = recover(disk, DIRECTORY, LOG_ID, **claims, now_us=NOW_US)
        disk.power_cut()
        assert recover(disk, DIRECTORY, LOG_ID, **claims, now_us=NOW_US).end == again.end
        assert again.end.next_offset == expected.end.next_offset
        assert again.end.log_epoch == expected.end.log_epoch
        assert [disk.read_file(path) for path, _ in expected.cut] == aside


class EvictingDisk(MemoryDisk):
    """The page cache drops what it can at one of the next reads."""

    reads_left = 0

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        inner = super().open(path, create=create)
        file = EvictingFile(inner.path, inner.content, inner.new_in)
        file.disk = self
        return file


class EvictingFile(MemoryFile):
    disk: EvictingDisk

    def read(self, position: int, size_bytes: int) -> bytes:
        self.disk.reads_left -= 1
        if self.disk.reads_left == 0:
            self.disk.evict()
        return super().read(position, size_bytes)


def test_page_that_vanishes_between_two_reads_is_never_taken_for_written() -> None:
    ends = set()
    failures = 0
    for reads in range(1, 12):
        log = FailingLog(EvictingDisk())
        log.data(b"not" * 400)
        log.fail()
        log.memory.reads_left = reads  # type: ignore[attr-defined]
        try:
            run(log.memory)
        except OSError:
            failures += 1
        end = run(log.memory).end
        log.memory.power_cut()
        assert run(log.memory).end == end
        ends.add(end.next_offset)
    assert failures
    assert ends == {1, 2}


def rewritten(log: RawLog) -> int:
    return run(log.disk).rewritten_bytes


def test_only_what_is_not_proven_is_written_again() -> None:
    log = build_log()
    unproven = sum(placed.header.batch_bytes for placed in log.placed[7:])
    first = run(log.disk)
    assert (first.row, first.rewritten_bytes) == (Row.KEPT, unproven)
    assert first.mark is not None
    # From now on it is the mark alone: no batch proves itself.
    assert (run(log.disk).row, rewritten(log)) == (Row.COVERED, first.mark.batch_bytes)


def test_nothing_is_written_after_a_clean_stop() -> None:
    log = build_log()
    log.synced()
    clean = log.clean_entry()
    recovered = recover(log.disk, DIRECTORY, LOG_ID, clean=clean, durable_floor=0, now_us=NOW_US)
    assert (recovered.row, recovered.rewritten_bytes) == (Row.CLEAN, 0)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_disk_that_does_not_take_the_bytes_again(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that never writes in place may be full. Then nothing can be promised."""
    log = build_log()
    before = take_image(log.disk)

    def fail(_file: MemoryFile, _position: int, _data: Buffer) -> None:
        raise OSError(number, "rewriting failed")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFile, "rewrite", fail)
        if number == errno.ENOSPC:
            with pytest.raises(LogRefused, match="Free some space"):
                run(log.disk)
        else:
            with pytest.raises(OSError, match="rewriting failed"):
                run(log.disk)
    assert take_image(log.disk) == before
    assert run(log.disk).row is Row.KEPT


SETTINGS = LogSettings(segment_bytes=600, index_interval_bytes=200)


def open_log(disk: MemoryDisk) -> Log:
    return Log.open(
        disk, DIRECTORY, LOG_ID, settings=SETTINGS, observer=CountingObserver(), now_us=NOW_US
    )


def fail_round(log: Log, disk: MemoryDisk) -> None:
    """A sync round fails, and the process ends."""
    for file in log.begin_sync().files:
        with suppress(OSError):
            disk.fail_sync_now(file)


@pytest.mark.parametrize("synced", range(1, 9))
def test_records_acknowledged_on_top_of_a_failed_sync_are_kept(synced: int) -> None:
    """Wherever the sync fails, and however the log has rolled."""
    disk = MemoryDisk()
    log = open_log(disk)
    for number in range(synced):
        log.append(batch_of(b"%d" % number), NOW_US)
        sync(log, disk)
    for number in range(synced, synced + 3):
        log.append(batch_of(b"%d" % number), NOW_US)
    fail_round(log, disk)
    log = open_log(disk)
    log.append(batch_of(b"%d" % (synced + 3)), NOW_US)
    sync(log, disk)
    disk.power_cut()
    expected = [(number, b"%d" % number) for number in range(synced + 4)]
    assert read_all(open_log(disk), 0) == expected


def test_states_of_the_observer_are_on_disk_after_the_next_round() -> None:
    disk = MemoryDisk()
    log = open_log(disk)
    while len(log.segments()) < 2:
        log.append(batch_of(b"x" * 100), NOW_US)
        sync(log, disk)
    base = log.segments()[-1].base_offset
    # The round behind the roll would have synced the state.
    fail_round(log, disk)
    log = open_log(disk)
    log.append(batch_of(b"y"), NOW_US)
    sync(log, disk)
    state = disk.read_file(state_path(DIRECTORY, base))
    disk.power_cut()
    assert state is not None
    assert disk.read_file(state_path(DIRECTORY, base)) == state


def test_states_are_left_alone_after_a_clean_stop() -> None:
    disk = MemoryDisk()
    log = open_log(disk)
    while len(log.segments()) < 2:
        log.append(batch_of(b"x" * 100), NOW_US)
        sync(log, disk)
    clean = log.close(clean=True, now_us=NOW_US)
    again = Log.open(
        disk, DIRECTORY, LOG_ID, observer=CountingObserver(), clean=clean, now_us=NOW_US
    )
    assert again.recovered.row is Row.CLEAN
    assert again.begin_sync().files == []


class SetAsideFails(MemoryDisk):
    def sync_directory(self, path: str) -> None:
        if any(torn_names(self.list_directory(path))):
            raise SyncFailed(errno.ENOSPC, "no space for the sync")
        super().sync_directory(path)


def test_failed_sync_of_a_directory_is_never_taken_for_a_full_disk() -> None:
    """Trying again could seem to succeed."""
    damage = Damage()
    damage.flip(16, 100)
    disk = SetAsideFails()
    fill(disk, damage.image)
    with pytest.raises(SyncFailed):
        run(disk)
