import errno

import pytest

from tapemq.batch import HEADER_BYTES, Header, Kind
from tapemq_broker.storage.evidence import Behind, look_behind, newest_proof
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.survey import Survey
from tests.support.disk_image import flipped
from tests.support.raw_log import DIRECTORY, LOG_ID, Placed
from tests.support.recovery_cases import Damage


def behind(damage: Damage) -> Behind:
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    survey = Survey(files, files.bases())
    survey.run(None, None)
    return look_behind(files, survey)


def test_newest_seal_is_the_proof() -> None:
    damage = Damage()
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    proof = newest_proof(files, files.bases())
    assert proof is not None
    assert proof.base_offset == 0
    assert proof.end.next_offset == 6
    assert newest_proof(files, [6, 12]) is None


def test_sound_log_has_nothing_behind() -> None:
    assert behind(Damage()) == Behind(None)


def test_batch_that_was_written_after_a_sync_proves_what_came_before() -> None:
    damage = Damage()
    damage.flip(12, 100)
    found = behind(damage)
    assert found.next_offset == 14
    assert found.proof is not None
    assert f"{damage.path(12)} at byte {damage.placed(14).position}" in found.proof


def test_batch_that_was_written_before_the_sync_proves_nothing() -> None:
    damage = Damage()
    damage.flip(14, 100)
    assert behind(damage) == Behind(None, 16)


def test_proof_in_a_later_segment_counts() -> None:
    damage = Damage()
    damage.cut(10)
    assert behind(damage).proof is not None


def test_proof_may_be_the_only_batch_of_a_later_segment() -> None:
    damage = Damage()
    damage.log.synced()
    damage.log.roll()
    damage.log.data(b"only one")
    damage.retake()
    damage.flip(16, 100)
    assert behind(damage).proof is not None


def test_batch_behind_a_damaged_mark_has_the_same_offset_and_still_counts() -> None:
    damage = Damage()
    mark = damage.log.mark()
    damage.log.synced()
    damage.log.data(b"behind the mark")
    damage.retake()
    path = damage.path(12)
    damage.image[path] = flipped(damage.image[path], 8 * (mark.position + 30))
    found = behind(damage)
    assert found.next_offset == 18
    assert found.proof is not None


def test_old_copies_are_neither_proof_nor_batches_behind() -> None:
    damage = Damage()
    damage.append(b"?" * HEADER_BYTES + damage.placed(8).data)
    assert behind(damage) == Behind(None)


def forged(placed: Placed) -> bytes:
    """A header that a client could have put into a payload: it claims that all is durable."""
    header: Header = placed.header
    return header._replace(
        batch_number=1000, base_offset=5000, durable_batch=1000, durable_upto=5000, body_length=0
    ).encode()[0]


def test_payload_of_a_batch_with_a_sound_header_is_not_searched() -> None:
    damage = Damage()
    damage.log.append(Kind.DATA, 1, forged(damage.placed(0)) + bytes(20))
    damage.retake()
    damage.flip(18, HEADER_BYTES + 100)
    assert behind(damage) == Behind(None)


def test_claims_beyond_oneself_are_not_believed() -> None:
    damage = Damage()
    header = damage.placed(16).header
    impossible = header._replace(batch_number=50, base_offset=99, durable_batch=51)
    damage.append(b"?" * HEADER_BYTES + impossible.encode()[0])
    assert behind(damage) == Behind(None)


@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE])
def test_what_cannot_be_read_may_be_a_proof_unless_no_file_can_be_opened(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Too few open files say nothing of a log: it must be judged again by another start."""
    damage = Damage()
    damage.flip(12, 100)
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    survey = Survey(files, files.bases())
    survey.run(None, None)

    def fail(of: LogFiles, base: int) -> None:
        raise OSError(code, "it fails")

    monkeypatch.setattr(LogFiles, "open", fail)
    if code == errno.EMFILE:
        with pytest.raises(OSError, match="it fails"):
            look_behind(files, survey)
    else:
        assert "cannot be read" in str(look_behind(files, survey).proof)
