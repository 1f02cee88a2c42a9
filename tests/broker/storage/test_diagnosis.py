import errno

import pytest

from tapemq_broker.storage.decision import CleanCheck, Findings, Place, Row
from tapemq_broker.storage.diagnosis import Claims, Diagnosis, diagnose
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.paths import segment_path
from tests.support.disk_image import flipped, take_image
from tests.support.faulty_disk import FaultyDisk, failing
from tests.support.raw_log import DIRECTORY, LOG_ID, RawLog
from tests.support.recovery_cases import CASES, Case, Damage, prepare


def diagnosis_of(damage: Damage, claims: Claims | None = None) -> Diagnosis:
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    return diagnose(files, claims or damage.claims)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_looking_changes_nothing(case: Case) -> None:
    disk, claims = prepare(case)
    before = take_image(disk)
    assert diagnose(LogFiles(disk, DIRECTORY, LOG_ID), claims).row is case.row
    assert take_image(disk) == before


def test_findings_of_a_crash_with_whole_batches() -> None:
    diagnosis = diagnosis_of(Damage())
    assert diagnosis.findings == Findings(Place.END)
    assert (diagnosis.proof, diagnosis.lost_upto, diagnosis.next_epoch) == (None, 18, 1)


def test_findings_of_unsynced_writes_out_of_order() -> None:
    damage = Damage()
    damage.flip(14, 100)
    diagnosis = diagnosis_of(damage)
    assert diagnosis.findings == Findings(Place.DAMAGED, later=True)
    assert diagnosis.lost_upto == 16


def test_findings_of_rot() -> None:
    damage = Damage()
    damage.flip(12, 100)
    diagnosis = diagnosis_of(damage)
    assert diagnosis.findings == Findings(Place.DAMAGED, proven=True, later=True)
    assert diagnosis.proof is not None
    assert "batch 7" in diagnosis.proof


def test_position_of_a_group_is_a_proof_only_beyond_the_bad_place() -> None:
    damage = Damage()
    damage.flip(16, 100)
    assert diagnosis_of(damage, Claims(durable_floor=16)).row is Row.TORN_LAST
    assert diagnosis_of(damage, Claims(durable_floor=17)).row is Row.ROT


def test_seal_is_a_proof_only_of_what_it_covers() -> None:
    damage = Damage()
    damage.log.seal()
    damage.image = take_image(damage.log.disk)
    damage.append(b"torn")
    assert diagnosis_of(damage).row is Row.TORN_SHORT
    damage.flip(16, 100)
    assert diagnosis_of(damage).row is Row.ROT


def test_seal_is_a_proof_of_a_mark_at_the_end_too() -> None:
    damage = Damage()
    mark = damage.log.mark()
    damage.log.seal()
    damage.retake()
    path = damage.path(12)
    damage.image[path] = flipped(damage.image[path], 8 * (mark.position + 30))
    assert diagnosis_of(damage).row is Row.ROT


def test_clean_note_of_another_log_matches_nothing() -> None:
    damage = Damage()
    clean = damage.log.clean_entry()
    other = clean._replace(log_id=LOG_ID._replace(partition=1))
    assert diagnosis_of(damage, Claims(clean=clean)).findings.clean is CleanCheck.MATCHES
    assert diagnosis_of(damage, Claims(clean=other)).findings.clean is CleanCheck.DIFFERS
    assert diagnosis_of(damage).findings.clean is CleanCheck.ABSENT


@pytest.mark.parametrize("torn_epoch", [1, 5])
def test_epoch_of_an_interrupted_cut_is_the_next_one(torn_epoch: int) -> None:
    damage = Damage()
    damage.image[f"{DIRECTORY}/{12:020}-9-{torn_epoch}.torn-5"] = b"torn"
    diagnosis = diagnosis_of(damage)
    assert diagnosis.findings.unfinished
    assert diagnosis.next_epoch == torn_epoch


def test_a_clean_stop_proves_the_bad_place() -> None:
    damage = Damage()
    clean = damage.log.clean_entry()
    damage.flip(16, 100)
    diagnosis = diagnosis_of(damage, Claims(clean=clean))
    assert diagnosis.row.refuses
    assert diagnosis.proof == "a clean stop noted that everything was on disk"


def test_nothing_is_lost_where_nothing_is_told() -> None:
    damage = Damage()
    damage.image = {damage.path(0): b"torn"}
    assert diagnosis_of(damage).lost_upto == 0


def test_one_record_that_retention_removed_proves_a_newer_segment() -> None:
    damage = Damage()
    damage.image = {damage.path(1): b""}
    diagnosis = diagnosis_of(damage)
    assert diagnosis.row is Row.MISSING_BYTES
    assert "older segments were removed" in (diagnosis.proof or "")


@pytest.mark.parametrize("garbage", [bytes(100), b"x" * 10, b"x" * 600])
def test_bytes_behind_the_end_of_a_sealed_segment_are_no_torn_write(garbage: bytes) -> None:
    """Cutting there would set the next segment aside, of which batches are acknowledged."""
    raw = RawLog(MemoryDisk())
    raw.data(b"a")
    raw.synced()
    raw.roll()
    raw.seal(0)
    raw.data(b"acked")
    raw.synced()
    raw.disk.open(segment_path(DIRECTORY, 0)).append([garbage])
    diagnosis = diagnose(LogFiles(raw.disk, DIRECTORY, LOG_ID), Claims())
    assert diagnosis.row.refuses
    assert diagnosis.findings.proven


@pytest.mark.parametrize("path", ["0.index", "2.log"])
def test_no_file_left_to_be_opened_says_nothing_of_a_log(path: str) -> None:
    """Without its seal, durable records would be cut off; without what follows, called rot."""
    disk = FaultyDisk()
    log = RawLog(disk)
    log.data(b"a")
    last = log.data(b"b")
    log.roll()
    log.data(b"c")
    log.synced()
    files = LogFiles(disk, DIRECTORY, LOG_ID)
    if path == "0.index":
        log.seal(0)
    damaged = flipped(disk.read_file(files.segment_path(0)) or b"", 8 * (last.end - 1))
    disk.replace_file(files.segment_path(0), damaged)
    expected = Row.ROT if path == "0.index" else Row.TORN_REORDERED
    assert diagnose(files, Claims()).row is expected
    disk.fail = failing("open", errno.EMFILE, path=path)
    with pytest.raises(OSError, match="open fails"):
        diagnose(files, Claims())
