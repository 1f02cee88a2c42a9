import errno
from random import Random

import pytest

from tapemq_broker.storage import diagnosis
from tapemq_broker.storage.clean import CLEAN_PATH, read_clean, write_clean
from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.diagnosis import Claims
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.errors import LogRefused
from tapemq_broker.storage.evidence import Behind, look_behind
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.repair import RepairReport, repair
from tapemq_broker.storage.repair_note import write_repair_note
from tapemq_broker.storage.repair_plan import Hole, Mode
from tapemq_broker.storage.survey import Survey
from tapemq_broker.storage.verify import verify
from tests.support.crashing_disk import Crash, CrashingDisk
from tests.support.disk_image import fill, flipped, make_disk, take_image
from tests.support.faulty_disk import FaultyDisk, failing
from tests.support.log_reader import Read, read_batches, read_log
from tests.support.logs import batch_of
from tests.support.raw_log import DIRECTORY, LOG_ID, RawLog
from tests.support.recovery_cases import CASES, Case, Damage, prepare

NOW_US = 9_000_000
REPAIRABLE = [
    case
    for case in CASES
    if case.row.refuses and case.row not in (Row.NEWER_FORMAT, Row.UNREADABLE)
]
NAMES = [case.name for case in REPAIRABLE]
NO_CLAIMS = Claims()


def run(
    disk: MemoryDisk, mode: Mode, claims: Claims = NO_CLAIMS, *, confirm: bool = True
) -> RepairReport:
    directory = DataDirectory(disk, bytes(16))
    place = directory.place_of(DIRECTORY)
    assert place is not None
    return repair(
        directory,
        place,
        mode,
        confirm=confirm,
        now_us=NOW_US,
        durable_floor=claims.durable_floor,
    )


def damaged_disk(case: Case, disk: MemoryDisk | None = None) -> tuple[MemoryDisk, Claims]:
    source, claims = prepare(case)
    disk = disk or MemoryDisk()
    fill(disk, take_image(source))
    if claims.clean:
        write_clean(disk, [claims.clean])
    return disk, claims


def open_log(disk: MemoryDisk, claims: Claims = NO_CLAIMS) -> Log:
    return Log.open(
        disk,
        DIRECTORY,
        LOG_ID,
        durable_floor=claims.durable_floor,
        must_exist=claims.must_exist,
        now_us=NOW_US + 1,
    )


def sound_records(disk: MemoryDisk) -> dict[int, Read]:
    """Every record of every whole batch that is anywhere in the log's segments."""
    records: dict[int, Read] = {}
    for placed in Damage().log.placed:
        for path, data in take_image(disk).items():
            if path.endswith(".log") and placed.data in data:
                records |= read_batches(placed.data)
    return records


@pytest.mark.parametrize("case", REPAIRABLE, ids=NAMES)
def test_salvage_keeps_every_sound_record_at_its_offset(case: Case) -> None:
    disk, claims = damaged_disk(case)
    expected = sound_records(disk)
    report = run(disk, Mode.SALVAGE, claims)
    assert report.is_done
    disk.power_cut()
    log = open_log(disk, claims)
    assert read_log(log) == expected
    assert log.next_offset == report.next_offset
    assert log.next_offset >= max([claims.durable_floor, *(at + 1 for at in expected)])
    given_up = {at for hole in report.holes for at in range(hole.from_offset, hole.to_offset)}
    assert given_up == set(range(log.first_offset, log.next_offset)) - set(expected)


@pytest.mark.parametrize("case", REPAIRABLE, ids=NAMES)
def test_truncate_keeps_what_is_in_front_of_the_first_bad_place(case: Case) -> None:
    disk, claims = damaged_disk(case)
    sound = sound_records(disk)
    report = run(disk, Mode.TRUNCATE, claims)
    log = open_log(disk, claims)
    kept = read_log(log)
    end = report.holes[0].from_offset if report.holes else report.next_offset
    assert kept == {at: record for at, record in sound.items() if at < end}
    assert log.next_offset == report.next_offset >= max([0, *(at + 1 for at in sound)])


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("case", REPAIRABLE, ids=NAMES)
def test_nothing_is_thrown_away(case: Case, mode: Mode) -> None:
    disk, claims = damaged_disk(case)
    before = take_image(disk)
    report = run(disk, mode, claims)
    after = take_image(disk)
    for path, data in before.items():
        if path.endswith(".log"):
            kept = after.get(path, b"").startswith(data) and data
            aside = any(after[item.path] == data for item in report.set_aside)
            assert kept or aside or not data, path


@pytest.mark.parametrize("case", REPAIRABLE, ids=NAMES)
def test_repaired_log_is_sound_and_goes_on(case: Case) -> None:
    disk, claims = damaged_disk(case)
    epoch = max(placed.header.log_epoch for placed in Damage().log.placed)
    run(disk, Mode.SALVAGE, claims)
    assert list(verify(DataDirectory(disk, bytes(16)))) == []
    again = run(disk, Mode.SALVAGE, claims)
    assert (again.holes, again.set_aside) == ([], [])
    log = open_log(disk, claims)
    assert log.log_epoch > epoch
    assert log.recovered.row is Row.COVERED


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("case", REPAIRABLE, ids=NAMES)
def test_without_confirmation_nothing_is_written(case: Case, mode: Mode) -> None:
    disk, claims = damaged_disk(case)
    before = take_image(disk)
    dry = run(disk, mode, claims, confirm=False)
    assert take_image(disk) == before
    assert not dry.is_done
    done = run(disk, mode, claims)
    assert (dry.holes, dry.next_offset) == (done.holes, done.next_offset)


@pytest.mark.parametrize(
    "case", [c for c in CASES if not c.row.refuses and c.row is not Row.NEW_LOG]
)
def test_log_that_opens_is_left_alone(case: Case) -> None:
    disk, claims = damaged_disk(case)
    before = take_image(disk)
    report = run(disk, Mode.TRUNCATE, claims)
    assert (report.holes, report.set_aside) == ([], [])
    assert take_image(disk) == before


def test_rot_that_recovery_does_not_see_is_repaired_too() -> None:
    damage = Damage()
    damage.flip(2, 100)
    disk = damage.disk()
    report = run(disk, Mode.SALVAGE)
    assert [hole[:2] for hole in report.holes] == [(2, 4)]
    assert set(read_log(open_log(disk))) == {0, 1, *range(4, 18)}


def test_note_of_a_clean_stop_no_longer_names_the_log() -> None:
    damage = Damage()
    damage.log.synced()
    mine = damage.log.clean_entry()
    other = mine._replace(log_id=LOG_ID._replace(topic_id=99))
    damage.flip(2, 100)
    disk = damage.disk()
    write_clean(disk, [mine, other])
    run(disk, Mode.SALVAGE)
    entries = read_clean(disk.read_file(CLEAN_PATH) or b"").entries
    assert entries == {other.log_id: other}


@pytest.mark.parametrize("noted", ["clean stop", "repair", "index"])
@pytest.mark.parametrize("mode", Mode)
def test_offsets_are_not_given_again_that_are_gone_behind_the_damage(
    mode: Mode, noted: str
) -> None:
    """Sound batches behind the damage say where it ends, and not where the log did."""
    damage = Damage()
    damage.log.synced()
    end = damage.log.clean_entry()
    if noted == "index":
        damage.log.seal()
        damage.retake()
        damage.image.pop(damage.path(12))
        damage.flip(2, 100)
    else:
        damage.flip(12, 100)
        damage.cut(16)
    disk = damage.disk()
    if noted == "clean stop":
        write_clean(disk, [end])
    elif noted == "repair":  # one that was interrupted
        write_repair_note(LogFiles(disk, DIRECTORY, LOG_ID), end.next_offset)
    assert run(disk, mode).next_offset == end.next_offset
    assert open_log(disk).next_offset == end.next_offset


@pytest.mark.parametrize("mode", Mode)
def test_a_log_that_ends_with_a_gap_opens_after_a_clean_stop(mode: Mode) -> None:
    """Its last batch is not the one that the next one names."""
    damage = Damage()
    damage.cut(16)
    disk, claims = damage.disk(), Claims(durable_floor=18)
    assert run(disk, mode, claims).next_offset == 18
    entry = open_log(disk, claims).close(clean=True, now_us=NOW_US)
    log = Log.open(disk, DIRECTORY, LOG_ID, clean=entry, now_us=NOW_US)
    assert (log.recovered.row, log.recovered.tail_base) == (Row.CLEAN, None)
    assert log.append(batch_of(b"more"), NOW_US) == 18


@pytest.mark.parametrize("case", [case for case in CASES if case.row is Row.NEWER_FORMAT])
def test_newer_format_is_not_repaired(case: Case) -> None:
    disk, claims = damaged_disk(case)
    with pytest.raises(LogRefused, match="newer"):
        run(disk, Mode.SALVAGE, claims)


@pytest.mark.parametrize("case", REPAIRABLE, ids=NAMES)
def test_repair_may_die_at_any_call_and_be_run_again(case: Case) -> None:
    whole, claims = damaged_disk(case)
    expected = sound_records(whole)
    run(whole, Mode.SALVAGE, claims)
    call, crashed = 0, True
    while crashed:
        disk = CrashingDisk(Random(call))
        damaged_disk(case, disk)
        disk.calls, disk.crash_at = 0, call
        crashed = False
        try:
            run(disk, Mode.SALVAGE, claims)
        except Crash:
            crashed = True
        disk.crash_at = None
        disk.power_cut()
        run(disk, Mode.SALVAGE, claims)
        log = open_log(disk, claims)
        assert read_log(log) == expected
        assert log.next_offset >= max([claims.durable_floor, *(at + 1 for at in expected)])
        call += 1
    assert call > 3


@pytest.mark.parametrize("draft", ["repair.tmp", "torn.tmp"])
def test_repair_without_room_takes_none(draft: str) -> None:
    """Nor from whoever runs it again, or a broker, when there is a little more."""
    damage = Damage()
    damage.flip(8, 100)
    disk = FaultyDisk()
    fill(disk, damage.image)
    disk.fail = failing("append", errno.ENOSPC, path=draft)
    with pytest.raises(OSError, match="append fails"):
        run(disk, Mode.SALVAGE)
    assert [name for name in take_image(disk) if name.endswith(".tmp")] == []
    disk.fail = lambda operation, path: None
    assert [hole[:2] for hole in run(disk, Mode.SALVAGE).holes] == [(8, 10)]


@pytest.mark.parametrize("mode", Mode)
def test_what_cannot_be_opened_is_not_given_up(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though there is damage before it, with which looking at the log ends."""
    damage = Damage()
    damage.flip(2, 100)
    disk = FaultyDisk()
    fill(disk, damage.image)
    before = take_image(disk)

    def unreadable_from_here(files: LogFiles, survey: Survey) -> Behind:
        disk.fail = failing("open", errno.EIO, path=damage.path(12))
        return look_behind(files, survey)

    monkeypatch.setattr(diagnosis, "look_behind", unreadable_from_here)
    with pytest.raises(LogRefused, match="cannot be read: opening failed"):
        run(disk, mode)
    monkeypatch.undo()
    disk.fail = lambda operation, path: None
    assert take_image(disk) == before
    assert run(disk, mode).holes


@pytest.mark.parametrize("damaged", [0, 2], ids=["damage far before it", "damage right before it"])
@pytest.mark.parametrize("mode", Mode)
def test_what_cannot_be_read_behind_damage_is_not_given_up(
    mode: Mode, damaged: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be read the next time, and then it is kept."""
    log = RawLog(MemoryDisk())
    for _ in range(6):
        log.data(b"x" * 600_000)
        log.synced()
    image = take_image(log.disk)
    image[log.path] = flipped(image[log.path], 8 * (log.placed[damaged].position + 20))
    disk, unreadable = make_disk(image), log.placed[4].position + 1000
    read = MemoryFile.read

    def failing_read(file: MemoryFile, position: int, size_bytes: int) -> bytes:
        if position <= unreadable < position + size_bytes:
            raise OSError(errno.EIO, "Input/output error")
        return read(file, position, size_bytes)

    monkeypatch.setattr(MemoryFile, "read", failing_read)
    with pytest.raises(LogRefused, match="cannot be read"):
        run(disk, mode, confirm=False)
    monkeypatch.undo()
    assert run(disk, Mode.SALVAGE).holes[0][:2] == (damaged, damaged + 1)
    assert sorted(read_log(open_log(disk))) == [at for at in range(6) if at != damaged]


@pytest.mark.parametrize("mode", Mode)
def test_repair_builds_on_nothing_that_a_failed_sync_left_in_the_page_cache(mode: Mode) -> None:
    """Its gaps and marks say that everything before them is on disk."""
    disk = MemoryDisk()
    log = RawLog(disk)
    for number in range(4):
        if number == 1:
            log.roll()
        log.data(b"%d" % number)
        if number < 2:
            log.synced()
    with pytest.raises(OSError, match="Input/output"):
        disk.fail_sync_now(disk.open(log.path))
    # Something is known to have followed, so there is a hole to be written down.
    report = run(disk, mode, Claims(durable_floor=9))
    before = sound_batches(disk)
    disk.power_cut()
    assert report.holes == [Hole(4, 9, "a segment is missing")]
    assert sound_batches(disk) == before
    assert sorted(read_log(open_log(disk))) == [0, 1, 2, 3]


def sound_batches(disk: MemoryDisk) -> dict[str, bytes]:
    return {path: data for path, data in take_image(disk).items() if path.endswith(".log")}
