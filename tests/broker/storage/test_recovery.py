import errno
from collections.abc import Sequence
from random import Random

import pytest

from tapemq.batch import Header
from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.diagnosis import Claims
from tapemq_broker.storage.disk import Buffer, Disk, File
from tapemq_broker.storage.errors import LogRefused
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.recovery import Recovered, recover
from tests.support.crashing_disk import Crash, CrashingDisk
from tests.support.disk_image import fill, take_image
from tests.support.full_disk import HalfFullDisk
from tests.support.raw_log import DIRECTORY, LOG_ID, RawLog
from tests.support.recovery_cases import CASES, Case, Damage, build_log, prepare

NOW_US = 5_000_000


NO_CLAIMS = Claims()


def run(disk: Disk, claims: Claims = NO_CLAIMS, seen: list[Header] | None = None) -> Recovered:
    def visit(segment_base: int, position: int, header: Header, body: memoryview) -> None:
        header.check_body(body)
        if seen is not None:
            seen.append(header)

    return recover(
        disk,
        DIRECTORY,
        LOG_ID,
        clean=claims.clean,
        durable_floor=claims.durable_floor,
        must_exist=claims.must_exist,
        now_us=NOW_US,
        visit=visit,
    )


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case_is_decided_as_written_down(case: Case) -> None:
    disk, claims = prepare(case)
    before = take_image(disk)
    if case.row.refuses:
        with pytest.raises(LogRefused) as caught:
            run(disk, claims)
        assert caught.value.row == case.row.name
        assert take_image(disk) == before
    else:
        recovered = run(disk, claims)
        assert recovered.row is case.row
        assert recovered.end.next_offset == case.kept_upto


def test_every_row_has_a_case() -> None:
    assert {case.row for case in CASES} | {Row.UNREADABLE} == set(Row)


OPENED = [case for case in CASES if not case.row.refuses]


@pytest.mark.parametrize("case", OPENED, ids=[case.name for case in OPENED])
def test_second_recovery_changes_nothing(case: Case) -> None:
    disk, claims = prepare(case)
    first = run(disk, claims)
    after = take_image(disk)
    second = run(disk, claims)
    assert take_image(disk) == after
    assert second.end == first.end
    assert second.segments == first.segments
    assert second.row in (Row.COVERED, Row.NEW_LOG, Row.CLEAN)


@pytest.mark.parametrize("case", OPENED, ids=[case.name for case in OPENED])
def test_what_was_recovered_survives_a_power_cut(case: Case) -> None:
    disk, claims = prepare(case)
    first = run(disk, claims)
    disk.power_cut()
    assert run(disk, claims).end == first.end


def test_what_was_only_in_the_page_cache_is_on_disk_afterwards() -> None:
    """After a kill, bytes and names are all there, though no sync has returned for them."""
    disk = MemoryDisk()
    log = RawLog(disk)
    log.data(b"a")
    log.roll()
    log.data(b"b")
    first = run(disk)
    disk.power_cut()
    second = run(disk)
    assert second.end == first.end
    assert [segment.base_offset for segment in second.segments] == [0, 1]


def test_what_was_set_aside_is_on_disk_afterwards() -> None:
    disk = MemoryDisk()
    log = RawLog(disk)
    log.data(b"a")
    log.roll()
    log.data(b"b")
    disk.open(f"{DIRECTORY}/{0:020}.log").truncate(100)
    cut = run(disk).cut
    contents = [disk.read_file(path) for path, _ in cut]
    disk.power_cut()
    assert [disk.read_file(path) for path, _ in cut] == contents
    assert [size for _, size in cut] == [100, len(log.placed[1].data)]


@pytest.mark.parametrize("survivors", ["all", "synced", "some"])
@pytest.mark.parametrize("case", OPENED, ids=[case.name for case in OPENED])
def test_crash_at_any_call_of_recovery_leads_to_the_same_log(case: Case, survivors: str) -> None:
    undisturbed, expected = recover_undisturbed(case)
    for call in range(undisturbed.calls):
        disk = CrashingDisk(Random(call) if survivors == "some" else None)
        crash_recovery(disk, case, call)
        if survivors != "all":
            disk.power_cut()
        again = run(disk, prepare(case)[1])
        assert again.end == expected.end
        assert again.segments == expected.segments
        assert take_image(disk) == take_image(undisturbed)


@pytest.mark.parametrize("case", OPENED, ids=[case.name for case in OPENED])
def test_torn_write_of_recovery_itself_costs_no_record(case: Case) -> None:
    undisturbed, expected = recover_undisturbed(case)
    for call in range(undisturbed.calls):
        disk = CrashingDisk(tears=True)
        crash_recovery(disk, case, call)
        again = run(disk, prepare(case)[1])
        assert again.end.next_offset == expected.end.next_offset
        assert again.end.next_batch == expected.end.next_batch
        assert again.end.log_epoch - expected.end.log_epoch in (0, 1)
        assert {path for path, _ in expected.cut} <= set(take_image(disk))


def recover_undisturbed(case: Case) -> tuple[CrashingDisk, Recovered]:
    disk, claims = CrashingDisk(), prepare(case)[1]
    fill(disk, take_image(prepare(case)[0]))
    disk.calls = 0
    return disk, run(disk, claims)


def crash_recovery(disk: CrashingDisk, case: Case, call: int) -> None:
    fill(disk, take_image(prepare(case)[0]))
    disk.calls, disk.crash_at = 0, call
    with pytest.raises(Crash):
        run(disk, prepare(case)[1])


@pytest.mark.parametrize("seed", range(30))
def test_acknowledged_records_survive_crash_upon_crash(seed: int) -> None:
    random = Random(seed)
    disk = CrashingDisk(random)
    log = RawLog(disk)
    for number in range(9):
        if number in (3, 6):
            log.roll()
        log.data(b"first of %d" % number, b"second " * 10)
        if number < 5:
            log.synced()
    for _ in range(5):
        disk.power_cut()
        disk.calls, disk.crash_at = 0, random.randrange(12)
        try:
            run(disk)
        except Crash:
            continue
    disk.crash_at = None
    seen: list[Header] = []
    assert run(disk, seen=seen).end.next_offset >= 10
    written = {placed.header for placed in log.placed}
    assert {header for header in seen if header.record_count} <= written


def test_cut_raises_the_epoch_and_keeps_the_bytes_aside() -> None:
    damage = Damage()
    damage.flip(14, 100)
    disk = MemoryDisk()
    fill(disk, damage.image)
    recovered = run(disk)
    tail = damage.image[damage.path(12)][damage.placed(14).position :]
    assert [(disk.read_file(path), size) for path, size in recovered.cut] == [(tail, len(tail))]
    assert (recovered.cut_from, recovered.cut_upto) == (14, 16)
    assert recovered.end.log_epoch == 1
    assert recovered.mark is not None
    assert recovered.mark.durable_batch == recovered.mark.batch_number == 7
    assert recovered.mark.append_time_us == NOW_US


def test_segments_behind_a_cut_are_kept_aside_whole() -> None:
    damage = Damage()
    disk = MemoryDisk()
    log = RawLog(disk)
    log.data(b"a")
    log.roll()
    log.data(b"b")
    log.roll()
    log.data(b"c")
    image = take_image(disk)
    image[damage.path(0)] = image[damage.path(0)][:-1]
    disk = MemoryDisk()
    fill(disk, image)
    recovered = run(disk)
    assert recovered.row is Row.TORN_SHORT
    assert [disk.read_file(path) for path, _ in recovered.cut] == [
        image[damage.path(base)] for base in range(3)
    ]
    names = [path.rpartition("/")[2] for path, _ in recovered.cut]
    assert names == [f"{base:020}-0-1.torn-{NOW_US}" for base in range(3)]
    assert [segment.base_offset for segment in recovered.segments] == [0]
    assert (recovered.cut_from, recovered.cut_upto) == (0, 1)


def test_one_cut_after_the_other_raises_the_epoch_each_time() -> None:
    disk = MemoryDisk()
    RawLog(disk).data(b"a")
    for epoch in range(1, 4):
        file = disk.open(f"{DIRECTORY}/{0:020}.log")
        file.append([b"torn"])
        assert run(disk).end.log_epoch == epoch
    assert len([name for name in disk.list_directory(DIRECTORY) if ".torn-" in name]) == 3


def test_visitor_sees_the_tail_behind_the_sealed_segments_once_and_in_order() -> None:
    log, seen = build_log(), list[Header]()
    recovered = run(log.disk, seen=seen)
    assert recovered.tail_base == 6
    assert seen == [placed.header for placed in log.placed if placed.segment_base >= 6]


def test_visitor_sees_nothing_after_a_clean_stop() -> None:
    log, seen = build_log(), list[Header]()
    log.synced()
    recovered = run(log.disk, Claims(clean=log.clean_entry()), seen)
    assert (seen, recovered.tail_base) == ([], None)
    lasts = [log.placed[number].header for number in (2, 5, 8)]
    assert [segment.last for segment in recovered.segments] == lasts


def test_segment_that_a_clean_stop_sealed_may_have_grown_since() -> None:
    log = RawLog(MemoryDisk())
    log.data(b"a")
    log.synced()
    log.seal()
    log.data(b"b")
    assert run(log.disk).end.next_offset == 2
    disk = log.disk
    disk.open(log.path).truncate(log.placed[1].position + 5)
    assert run(disk).row is Row.TORN_SHORT


def test_caches_of_what_was_cut_off_are_removed() -> None:
    log = build_log()
    for name in (f"{16:020}.state", f"{18:020}.state", f"{12:020}.state", "draft.tmp"):
        log.disk.replace_file(f"{DIRECTORY}/{name}", b"cache")
    log.disk.replace_file(f"{DIRECTORY}/{12:020}.index", b"not a seal")
    log.disk.open(log.path).truncate(log.placed[8].position + 5)
    run(log.disk)
    left = [name for name in log.disk.list_directory(DIRECTORY) if not name.endswith(".log")]
    assert left == [
        f"{0:020}.index",
        next(name for name in left if ".torn-" in name),
        f"{12:020}.state",
        f"{16:020}.state",
    ]


def test_a_draft_of_an_index_without_its_segment_is_removed() -> None:
    disk = MemoryDisk()
    disk.make_directory(DIRECTORY)
    disk.replace_file(f"{DIRECTORY}/{0:020}.index", b"not a seal")
    recovered = recover(disk, DIRECTORY, LOG_ID, clean=None, durable_floor=0, now_us=NOW_US)
    assert recovered.row is Row.NEW_LOG
    assert disk.list_directory(DIRECTORY) == [f"{0:020}.log"]


def half_full(image: dict[str, bytes]) -> HalfFullDisk:
    disk = HalfFullDisk()
    fill(disk, image)
    disk.is_full = True
    return disk


def test_half_a_mark_is_taken_back() -> None:
    image = Damage().image
    disk = half_full(image)
    recovered = run(disk)
    assert (recovered.row, recovered.mark) == (Row.KEPT, None)
    assert take_image(disk) == image


def test_an_epoch_that_cannot_be_raised_refuses_the_log() -> None:
    """What was cut is set aside: there is room for that, and none for the mark."""
    damage = Damage()
    damage.flip(16, 100)
    disk = half_full(damage.image)
    with pytest.raises(LogRefused, match="Free some space"):
        run(disk)
    disk.is_full = False
    assert run(disk).row is Row.FINISHED_CUT


class FailingFile(MemoryFile):
    def __init__(self, file: MemoryFile, error: int) -> None:
        super().__init__(file.path, file.content, file.new_in)
        self._error = error

    def read(self, position: int, size_bytes: int) -> bytes:
        if self._error == errno.EIO:
            raise OSError(self._error, "read failed")
        return super().read(position, size_bytes)

    def append(self, buffers: Sequence[Buffer]) -> None:
        raise OSError(self._error, "append failed")


class FailingDisk(MemoryDisk):
    """Once told, each read or write fails with an errno."""

    error = 0

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        file = super().open(path, create=create)
        return FailingFile(file, self.error) if self.error else file


def failing_disk(error: int, image: dict[str, bytes]) -> FailingDisk:
    disk = FailingDisk()
    fill(disk, image)
    disk.error = error
    return disk


def test_disk_that_cannot_read_is_never_taken_for_a_torn_tail() -> None:
    disk = failing_disk(errno.EIO, Damage().image)
    with pytest.raises(LogRefused) as caught:
        run(disk)
    assert caught.value.row == Row.UNREADABLE.name


def test_full_disk_opens_without_a_mark() -> None:
    image = Damage().image
    disk = failing_disk(errno.ENOSPC, image)
    recovered = run(disk)
    assert (recovered.row, recovered.mark, recovered.end.next_offset) == (Row.KEPT, None, 18)
    assert take_image(disk) == image


def test_full_disk_refuses_to_cut_and_loses_nothing() -> None:
    damage = Damage()
    damage.flip(16, 100)
    disk = failing_disk(errno.ENOSPC, damage.image)
    with pytest.raises(LogRefused, match="Free some space"):
        run(disk)
    assert {path: take_image(disk)[path] for path in damage.image} == damage.image
    disk.error = 0
    assert run(disk).row is Row.TORN_LAST


def test_full_disk_moves_no_segment_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems need room for bytes that are written again, too."""
    (case,) = [case for case in CASES if "behind a mark reached" in case.name]
    disk, claims = prepare(case)

    def full(file: MemoryFile, position: int, data: Buffer) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(MemoryFile, "rewrite", full)
    with pytest.raises(LogRefused, match="Free some space"):
        run(disk, claims)
    monkeypatch.undo()
    assert run(disk, claims).row is Row.TORN_GAP


@pytest.mark.parametrize("happens", ["nothing", "damage"])
def test_failing_disk_is_not_taken_for_a_full_one(happens: str) -> None:
    damage = Damage()
    if happens == "damage":
        damage.flip(16, 100)
    with pytest.raises(OSError, match="append failed"):
        run(failing_disk(errno.EROFS, damage.image))


class SyncFails(MemoryDisk):
    def sync_now(self, file: File) -> None:
        raise OSError(errno.EIO, "sync failed")


def test_failed_sync_is_passed_on() -> None:
    disk = SyncFails()
    disk.make_directory(DIRECTORY)
    with pytest.raises(OSError, match="sync failed"):
        run(disk)
