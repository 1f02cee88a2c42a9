from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch import (
    HEADER_BYTES,
    Codec,
    Columns,
    Cutter,
    Header,
    Kind,
    LogId,
    Role,
    UnknownFormat,
    check_body,
    checksum,
    decode_columns,
    encode_body,
    iter_batches,
)
from tests.support.batches import columns

BASE = 1000


def header_of(body: bytes, count: int) -> Header:
    return Header(
        kind=Kind.DATA,
        flags=0,
        log_id=LogId(7, 3, Role.DATA),
        log_epoch=2,
        record_count=count,
        base_offset=BASE,
        batch_number=44,
        append_time_us=1_700_000_000_000_000,
        durable_upto=990,
        durable_batch=43,
        previous_checksum=0xABCD,
        body_length=len(body),
        body_checksum=checksum(body),
    )


def sliced(column: Sequence[Any] | None, first: int, count: int) -> list[Any] | None:
    return None if column is None else list(column[first : first + count])


def cut(header: Header, body: bytes, first: int, count: int) -> tuple[Header, bytes]:
    """One cut, joined and read as a consumer reads it."""
    data = b"".join(Cutter(header, memoryview(body)).cut(first, count))
    [(found, view)] = iter_batches(data)
    assert found.batch_bytes == len(data)
    return found, bytes(view)


@given(columns(), st.data(), st.binary(max_size=9))
def test_cut_holds_the_same_records(
    records: Columns, data: st.DataObject, extension: bytes
) -> None:
    total = len(records.values)
    first = data.draw(st.integers(0, total - 1))
    count = data.draw(st.integers(1, total - first))
    whole = encode_body(records, producer_id=5, first_sequence=70, extension=extension)
    _, body = cut(header_of(whole, total), whole, first, count)
    assert [sliced(c, 0, count) for c in decode_columns(body)] == [
        sliced(c, first, count) for c in decode_columns(whole)
    ]
    prefix, _ = check_body(body)
    before, _ = check_body(whole)
    assert prefix == before._replace(
        record_count=count, first_sequence=70 + first, data_length=prefix.data_length
    )


@given(columns(), st.data())
def test_cuts_of_one_batch_do_not_disturb_each_other(records: Columns, data: st.DataObject) -> None:
    total = len(records.values)
    body = encode_body(records)
    cutter = Cutter(header_of(body, total), memoryview(body))
    for index in data.draw(st.permutations(range(total))):
        [(header, view)] = iter_batches(b"".join(cutter.cut(index, 1)))
        assert header.base_offset == BASE + index
        assert decode_columns(view).values == records.values[index : index + 1]


def test_header_of_a_cut() -> None:
    body = encode_body(Columns([b"a", b"bb", b"ccc"]))
    origin = header_of(body, 3)
    found, view = cut(origin, body, 1, 2)
    assert found == origin._replace(
        base_offset=BASE + 1,
        record_count=2,
        body_length=len(view),
        body_checksum=checksum(view),
        header_checksum=found.header_checksum,
    )


def test_cut_of_everything_is_the_batch() -> None:
    body = encode_body(Columns([b"a", None], [b"k", None], [b"", b""]), extension=b"more")
    origin = header_of(body, 2)
    data = b"".join(Cutter(origin, memoryview(body)).cut(0, 2))
    assert data == origin.encode()[0] + body
    assert len(data) == HEADER_BYTES + len(body)


def test_last_sequence_may_wrap_around() -> None:
    body = encode_body(Columns([b"a", b"b"]), first_sequence=2**64 - 1)
    _, view = cut(header_of(body, 2), body, 1, 1)
    assert check_body(view)[0].first_sequence == 0


def test_compressed_batch_is_not_cut() -> None:
    body = encode_body(Columns([b"a", b"b"]), codec=Codec.ZLIB)
    with pytest.raises(UnknownFormat, match="ZLIB cannot be cut"):
        Cutter(header_of(body, 2), memoryview(body))
