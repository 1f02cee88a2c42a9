from typing import Any

import pytest

from tapemq.batch import BatchError, Header, Kind, LogId, Role
from tapemq_broker.storage.chain import LogEnd, NotNext
from tapemq_broker.storage.gap import Gap

LOG_ID = LogId(7, 0, Role.DATA)
END = LogEnd(next_offset=10, next_batch=4, last_checksum=99, log_epoch=2, last_append_time_us=1000)
NEXT = Header(
    kind=Kind.DATA,
    flags=0,
    log_id=LOG_ID,
    log_epoch=2,
    record_count=3,
    base_offset=10,
    batch_number=4,
    append_time_us=1000,
    durable_upto=0,
    durable_batch=0,
    previous_checksum=99,
    body_length=0,
    body_checksum=0,
    header_checksum=1234,
)
NO_BODY = memoryview(b"")


def test_step_to_the_next_batch() -> None:
    assert END.step(NEXT, NO_BODY, LOG_ID) == LogEnd(13, 5, 1234, 2, 1000)


def test_end_before_a_batch_is_the_one_that_it_continues() -> None:
    assert LogEnd.before(NEXT) == END


@pytest.mark.parametrize(
    "wrong",
    [
        {"log_id": LogId(7, 1, Role.DATA)},
        {"base_offset": 11},
        {"base_offset": 9},
        {"batch_number": 5},
        {"previous_checksum": 98},
        {"log_epoch": 1},
        {"append_time_us": 999},
    ],
)
def test_other_batches_do_not_belong_there(wrong: dict[str, Any]) -> None:
    header = NEXT._replace(**wrong)
    with pytest.raises(NotNext):
        END.step(header, NO_BODY, LOG_ID)
    with pytest.raises(NotNext):
        END.check(header, LOG_ID)


def test_epoch_and_time_may_grow() -> None:
    later = NEXT._replace(log_epoch=5, append_time_us=5000)
    assert END.step(later, NO_BODY, LOG_ID) == LogEnd(13, 5, 1234, 5, 5000)


def test_gap_leads_over_the_hole() -> None:
    mark = NEXT._replace(kind=Kind.GAP, record_count=0)
    body = Gap(50, 9, 777, "lost").encode()
    assert END.step(mark, memoryview(body), LOG_ID) == LogEnd(50, 9, 777, 2, 1000)


@pytest.mark.parametrize("gap", [Gap(9, 9, 777, ""), Gap(50, 4, 777, "")])
def test_gap_never_leads_back(gap: Gap) -> None:
    mark = NEXT._replace(kind=Kind.GAP, record_count=0)
    with pytest.raises(NotNext, match="back"):
        END.step(mark, memoryview(gap.encode()), LOG_ID)


def test_gap_with_another_body_or_with_records_is_refused() -> None:
    gap = NEXT._replace(kind=Kind.GAP, record_count=0)
    with pytest.raises(BatchError):
        END.step(gap, memoryview(b"?"), LOG_ID)
    with pytest.raises(NotNext, match="3 records"):
        END.step(gap._replace(record_count=3), memoryview(Gap(50, 9, 777, "").encode()), LOG_ID)


def test_a_new_log_begins_with_nothing() -> None:
    assert LogEnd() == (0, 0, 0, 0, 0)


def test_a_gap_may_miss_batches_without_records() -> None:
    mark = NEXT._replace(kind=Kind.GAP, record_count=0)
    body = Gap(10, 9, 777, "marks").encode()
    assert END.step(mark, memoryview(body), LOG_ID) == LogEnd(10, 9, 777, 2, 1000)
