import errno

import pytest

from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.diagnosis import Claims, diagnose
from tapemq_broker.storage.errors import SyncFailed
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.refusal import is_full, no_room, refusal
from tests.support.raw_log import DIRECTORY, LOG_ID
from tests.support.recovery_cases import CASES, Case, Damage, prepare

FULL = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG]
REFUSED = [case for case in CASES if case.row.refuses]


@pytest.mark.parametrize("case", REFUSED, ids=[case.name for case in REFUSED])
def test_refusal_names_the_row_the_place_and_what_to_do(case: Case) -> None:
    disk, claims = prepare(case)
    files = LogFiles(disk, DIRECTORY, LOG_ID)
    error = refusal(files, diagnose(files, claims))
    assert error.row == case.row.name
    assert error.segment.startswith(DIRECTORY)
    assert error.from_offset <= error.to_offset
    assert "Nothing was changed" in error.advice
    if case.row is not Row.NEWER_FORMAT:
        assert f"tapemq repair {DIRECTORY}" in str(error)


def test_damage_between_sound_batches_is_named_exactly() -> None:
    damage = Damage()
    damage.flip(8, 100)
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    error = refusal(files, diagnose(files, Claims()))
    assert error.segment == damage.path(6)
    assert error.position == damage.placed(8).position
    assert (error.from_offset, error.to_offset) == (8, 10)
    assert "checksum" in error.reason
    assert "were on disk" in error.reason


def test_missing_end_is_named_up_to_where_it_is_known() -> None:
    damage = Damage()
    damage.cut(16)
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    error = refusal(files, diagnose(files, Claims(durable_floor=18)))
    assert error.position == damage.placed(16).position
    assert (error.from_offset, error.to_offset) == (16, 18)


def test_full_disk_loses_nothing_and_says_so() -> None:
    damage = Damage()
    damage.flip(16, 100)
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    error = no_room(files, diagnose(files, Claims()), OSError(errno.ENOSPC, "no space left"))
    assert "no space left" in error.reason
    assert "Nothing is lost" in error.advice
    assert (error.row, error.from_offset, error.to_offset) == ("TORN_LAST", 16, 18)


@pytest.mark.parametrize("number", [*FULL, errno.EIO])
def test_a_full_disk_is_told_from_a_sync_that_failed_for_want_of_room(number: int) -> None:
    assert is_full(OSError(number, "no room")) == (number in FULL)
    assert not is_full(SyncFailed(number, "no room"))
