import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch import (
    BODY_BYTES_MAX,
    COUNT_MAX,
    HEADER_BYTES,
    BatchError,
    ChecksumMismatch,
    Header,
    HeaderFlag,
    Kind,
    LogId,
    Outline,
    Role,
    UnknownFormat,
    checksum,
    decode_header,
    read_outline,
)
from tests.support.batches import headers, patched
from tests.support.golden import read_golden

GOLDEN = read_golden("batch")
BODY = GOLDEN["body"]
HEADER = Header(
    kind=Kind.DATA,
    flags=0,
    log_id=LogId(0x5EED, 0, Role.DATA),
    log_epoch=0,
    record_count=2,
    base_offset=0,
    batch_number=0,
    append_time_us=1_700_000_000_000_500,
    durable_upto=0,
    durable_batch=0,
    previous_checksum=0,
    body_length=len(BODY),
    body_checksum=checksum(BODY),
)


def resealed(data: bytes) -> bytes:
    """The header with the checksum that fits its bytes."""
    return data[:84] + struct.pack(">I", checksum(data[:84])) + data[88:]


def test_golden_headers_both_ways() -> None:
    data, own = HEADER.encode()
    assert data == GOLDEN["header"]
    assert decode_header(data) == HEADER._replace(header_checksum=own)
    mark = HEADER._replace(
        kind=Kind.MARK,
        record_count=0,
        base_offset=2,
        batch_number=1,
        append_time_us=1_700_000_000_100_500,
        durable_upto=2,
        durable_batch=1,
        previous_checksum=own,
        body_length=0,
        body_checksum=0,
    )
    assert mark.encode()[0] == GOLDEN["mark"]
    assert decode_header(GOLDEN["mark"])[:-1] == mark[:-1]


@given(headers, st.binary(max_size=9), st.binary(max_size=9))
def test_round_trip(header: Header, before: bytes, behind: bytes) -> None:
    data, own = header.encode()
    assert len(data) == HEADER_BYTES
    found = decode_header(bytearray(before + data + behind), len(before))
    assert found == header._replace(header_checksum=own)
    assert found.next_offset == header.base_offset + header.record_count
    assert found.batch_bytes == HEADER_BYTES + header.body_length


@given(headers, st.binary(max_size=9))
def test_outline_says_what_the_header_says(header: Header, before: bytes) -> None:
    data = before + header.encode()[0]
    assert read_outline(data, len(before)) == Outline(
        header.record_count, header.base_offset, header.append_time_us, header.body_length
    )


def test_every_single_bit_flip_is_detected() -> None:
    for bit in range(HEADER_BYTES * 8):
        flipped = bytearray(GOLDEN["header"])
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BatchError):
            decode_header(flipped)


@pytest.mark.parametrize("before", [b"", b"before"])
def test_every_truncation_is_refused(before: bytes) -> None:
    for cut in range(HEADER_BYTES):
        with pytest.raises(BatchError, match=f"88 bytes, {cut} are left"):
            decode_header(before + GOLDEN["header"][:cut], len(before))


def test_kinds_have_the_numbers_of_the_specification() -> None:
    names = ["DATA", "MARK", "GROUP", "CATALOG", "SCHEDULE", "COMMIT"]
    assert [Kind[name] for name in names] == [0, 1, 2, 3, 4, 5]


def test_what_is_no_header_is_told_from_a_damaged_one() -> None:
    with pytest.raises(BatchError, match="no batch starts here") as caught:
        decode_header(b"\0" * HEADER_BYTES)
    assert type(caught.value) is BatchError
    with pytest.raises(ChecksumMismatch):
        decode_header(patched(GOLDEN["header"], 20, "I", 1))


@pytest.mark.parametrize(
    ("position", "layout", "value"),
    [(4, "B", 2), (5, "B", 200), (6, "B", 2), (7, "B", 2), (7, "B", 0x80), (20, "I", 4)],
)
def test_what_is_of_another_version_is_refused(position: int, layout: str, value: int) -> None:
    with pytest.raises(UnknownFormat):
        decode_header(resealed(patched(GOLDEN["header"], position, layout, value)))


@pytest.mark.parametrize(
    "header",
    [
        HEADER._replace(record_count=COUNT_MAX + 1),
        HEADER._replace(body_length=BODY_BYTES_MAX + 1),
        HEADER._replace(base_offset=2**64 - 2),
        HEADER._replace(kind=Kind.MARK, record_count=0),
        HEADER._replace(kind=Kind.MARK, body_length=0),
    ],
)
def test_what_cannot_be_is_refused(header: Header) -> None:
    with pytest.raises(BatchError, match=r"a (batch of|mark with)"):
        decode_header(header.encode()[0])


def test_snapshot_flag() -> None:
    data, _ = HEADER._replace(flags=int(HeaderFlag.SNAPSHOT)).encode()
    assert decode_header(data).flags == 1


def test_body_belongs_to_its_header() -> None:
    HEADER.check_body(BODY)
    HEADER.check_body(memoryview(BODY))
    for body in (BODY[:-1], BODY + b"\0", patched(BODY, 50, "B", 0), b""):
        with pytest.raises(ChecksumMismatch, match="batch 0 at offset 0"):
            HEADER.check_body(body)


def test_numbers_of_kinds_and_roles_never_change() -> None:
    kinds = ["DATA", "MARK", "GROUP", "CATALOG", "SCHEDULE", "COMMIT", "GAP"]
    assert [kind.name for kind in sorted(Kind)] == kinds
    assert [int(kind) for kind in sorted(Kind)] == list(range(7))


@pytest.mark.parametrize(
    "largest",
    [
        {"record_count": COUNT_MAX},
        {"body_length": BODY_BYTES_MAX},
        {"record_count": 5, "base_offset": 2**64 - 1 - 5},
    ],
)
def test_what_is_just_within_the_limits_is_a_header(largest: dict[str, Any]) -> None:
    header = HEADER._replace(**largest)
    data, own = header.encode()
    assert decode_header(data) == header._replace(header_checksum=own)
