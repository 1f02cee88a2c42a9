import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch import (
    BODY_PREFIX_BYTES,
    BatchError,
    BodyPrefix,
    Codec,
    Columns,
    Numbers,
    UnknownFormat,
    check_body,
    checksum,
    decode_columns,
    decode_keys,
    decode_prefix,
    decode_runs,
    encode_body,
    encode_extras,
)
from tapemq.batch.body import BodyFlag, decode_extras_column, encode_parts
from tapemq.batch.limits import BODY_BYTES_MAX, COUNT_MAX, RECORD_BYTES_MAX
from tests.support.batches import TABLE, codecs, columns, patched
from tests.support.golden import read_golden

GOLDEN = read_golden("batch")
RECORDS = Columns([b'{"total": 7}', None], [b"eu.42", b"eu.42"], [encode_extras({"k": "v"}), b""])
BODY = encode_body(RECORDS, producer_id=161, producer_time_us=1_700_000_000_000_000)


def listed(records: Columns) -> list[list[Any] | None]:
    return [None if column is None else list(column) for column in records]


def joined_runs(body: bytes | memoryview) -> Columns:
    runs = list(decode_runs(body))
    keys = None if runs[0].keys is None else [key for run in runs for key in run.keys or ()]
    extras = None if runs[0].extras is None else [item for run in runs for item in run.extras or ()]
    return Columns([value for run in runs for value in run.values], keys, extras)


def refused(body: bytes, says: str) -> None:
    """All readers refuse the body, and say why."""
    for read in (check_body, decode_columns, joined_runs):
        with pytest.raises(BatchError, match=says):
            read(body)


def test_golden_body_both_ways() -> None:
    assert GOLDEN["body"] == BODY
    assert listed(decode_columns(BODY)) == listed(RECORDS)
    assert decode_prefix(BODY) == BodyPrefix(
        Codec.NONE, 7, 2, 161, 0, 0, 0, 1_700_000_000_000_000, 29
    )
    assert check_body(BODY) == (decode_prefix(BODY), 12)


def test_golden_body_of_one_empty_value() -> None:
    assert GOLDEN["empty value body"] == encode_body(Columns([b""]))
    assert listed(decode_columns(GOLDEN["empty value body"])) == [[b""], None, None]


def test_golden_body_with_compression_and_extension() -> None:
    body = GOLDEN["zlib body"]
    assert listed(decode_columns(body)) == [[b"a" * 400, b"a" * 600], None, None]
    assert check_body(body) == (BodyPrefix(Codec.ZLIB, 0, 2, 5, 1, 5, 8, 0, 1000), 600)


@given(columns(), codecs)
def test_keys_alone(records: Columns, codec: Codec) -> None:
    keys = decode_keys(encode_body(records, codec=codec))
    assert list(keys) == (records.keys or [None] * len(records.values))


@given(columns(), codecs, st.binary(max_size=9))
def test_round_trip(records: Columns, codec: Codec, extension: bytes) -> None:
    body = encode_body(
        records,
        producer_id=2**64 - 1,
        producer_epoch=2**32 - 1,
        first_sequence=7,
        codec=codec,
        extension=extension,
    )
    assert listed(decode_columns(memoryview(body))) == listed(records)
    prefix, longest = check_body(body)
    assert prefix.producer_id == 2**64 - 1
    assert prefix.producer_epoch == 2**32 - 1
    assert prefix.first_sequence == 7
    present = [item for column in records[:2] for item in column or () if item is not None]
    assert longest == max(map(len, present), default=0)


@pytest.mark.parametrize("codec", Codec)
def test_every_truncation_is_refused(codec: Codec) -> None:
    body = encode_body(RECORDS, codec=codec)
    for cut in range(len(body)):
        with pytest.raises(BatchError):
            check_body(body[:cut])
        with pytest.raises(BatchError):
            decode_columns(body[:cut])


@pytest.mark.parametrize("codec", Codec)
def test_trailing_bytes_are_refused(codec: Codec) -> None:
    refused(encode_body(RECORDS, codec=codec) + b"x", "data area")


def test_every_single_bit_flip_is_detected() -> None:
    for bit in range(len(BODY) * 8):
        flipped = bytearray(BODY)
        flipped[bit // 8] ^= 1 << bit % 8
        assert checksum(flipped) != checksum(BODY)


@pytest.mark.parametrize(
    ("position", "layout", "value"),
    [(0, "B", 0), (0, "B", 2), (1, "B", 3), (1, "B", 255), (2, "H", 64), (2, "H", 0x8000)],
)
def test_what_is_of_another_version_is_refused(position: int, layout: str, value: int) -> None:
    with pytest.raises(UnknownFormat):
        check_body(patched(BODY, position, layout, value))


@pytest.mark.parametrize(
    ("position", "layout", "values", "says"),
    [
        (4, "I", [0], "0 records"),
        (4, "I", [1], "add up"),
        (4, "I", [3], "add up"),
        (4, "I", [COUNT_MAX], "do not fit"),
        (4, "I", [COUNT_MAX + 1], "65536 records"),
        (4, "I", [2**32 - 1], "4294967295 records"),
        (20, "I", [1], "add up"),
        (20, "I", [2**32 - 1], "do not fit"),
        (40, "I", [28], "add up to 29, the data area is 28"),
        (40, "I", [BODY_BYTES_MAX + 1], "limits"),
        (40, "I", [2**32 - 1], "limits"),
        (2, "H", [3], "not flagged for tombstones"),
        (2, "H", [6], "add up"),
        (2, "H", [5], "add up"),
        (TABLE, "I", [11], "add up"),
        (TABLE, "I", [2**32 - 1], "add up"),
        (TABLE, "II", [2**32 - 2, 30], "add up"),
        (TABLE + 16, "I", [2**32 - 1], "add up"),
        (TABLE + 16, "I", [6], "add up"),
    ],
)
def test_lies_of_prefix_and_tables_are_refused(
    position: int, layout: str, values: list[int], says: str
) -> None:
    refused(patched(BODY, position, layout, *values), says)


def test_extras_that_are_missing_are_refused() -> None:
    body = patched(BODY, TABLE + 16, "II", 2**32 - 1, 0)
    refused(patched(body, 40, "I", 22)[:-7], "length 0")


def test_extras_that_do_not_decode_are_refused_where_a_batch_enters() -> None:
    for codec in Codec:
        body = encode_body(Columns([b""] * 2, None, [b"", b"\xc1"]), codec=codec)
        with pytest.raises(BatchError, match="headers"):
            check_body(body)


@pytest.mark.parametrize("codec", [Codec.ZLIB, Codec.ZSTD])
def test_small_body_cannot_ask_for_more_memory_than_it_says(codec: Codec) -> None:
    body = encode_body(Columns([b"\0" * RECORD_BYTES_MAX]), codec=codec)
    lie = patched(patched(body, 40, "I", 1000), TABLE, "I", 1000)
    tracemalloc.start()
    refused(lie, "data area")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(body) + 100_000


def test_limits_of_what_is_encoded() -> None:
    half = RECORD_BYTES_MAX // 2
    assert check_body(encode_body(Columns([b"x" * RECORD_BYTES_MAX])))[1] == RECORD_BYTES_MAX
    for records, says in [
        (Columns([]), "0 records"),
        (Columns([b""] * (COUNT_MAX + 1)), "65536 records"),
        (Columns([b"x" * (RECORD_BYTES_MAX + 1)]), "16777217 bytes"),
        (Columns([None], [b"x" * (RECORD_BYTES_MAX + 1)]), "16777217 bytes"),
        (Columns([b"x" * half] * 3), "limits"),
        (Columns([b"x"] * 2, [b"x"]), "not as many"),
        (Columns([b"x"], None, []), "not as many"),
    ]:
        with pytest.raises(BatchError, match=says):
            encode_body(records, codec=Codec.ZLIB)
    assert len(decode_columns(encode_body(Columns([b""] * COUNT_MAX))).values) == COUNT_MAX


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.ZLIB])
def test_body_of_the_largest_size(codec: Codec) -> None:
    overhead = TABLE + 2 * 4 if codec is Codec.NONE else 0
    values = [b"\0" * RECORD_BYTES_MAX, b"\0" * (BODY_BYTES_MAX - RECORD_BYTES_MAX - overhead)]
    assert check_body(encode_body(Columns(values), codec=codec))[1] == RECORD_BYTES_MAX
    with pytest.raises(BatchError, match="limits"):
        encode_body(Columns([values[0], values[1] + b"\0"]), codec=codec)


def test_limits_of_what_is_read() -> None:
    value = b"x" * (RECORD_BYTES_MAX + 1)
    body = encode_body(Columns([value[:-1], b"x"]))
    one = patched(body[:TABLE] + body[TABLE + 4 :], 4, "I", 1)
    with pytest.raises(BatchError, match="16777217 bytes"):
        check_body(patched(one, TABLE, "I", len(value)))
    refused(patched(BODY, 20, "I", BODY_BYTES_MAX) + b"x" * BODY_BYTES_MAX, "limits")


def test_flags_have_the_numbers_of_the_specification() -> None:
    names = ["KEYS", "EXTRAS", "TOMBSTONES", "EXPIRY", "PRIORITY", "CONTROL"]
    assert [int(BodyFlag[name]) for name in names] == [1, 2, 4, 8, 16, 32]
    for reserved in (8, 16, 32):
        assert check_body(patched(BODY, 2, "H", 7 | reserved))[0].flags == 7 | reserved


def test_longest_counts_keys_and_not_what_is_missing() -> None:
    assert check_body(encode_body(Columns([None, b"ab"], [b"abc", None])))[1] == 3
    assert check_body(encode_body(Columns([None], [None])))[1] == 0


@given(columns(), codecs)
def test_extras_alone_are_those_of_the_records(records: Columns, codec: Codec) -> None:
    found = decode_extras_column(encode_body(records, codec=codec))
    assert found == list(records.extras or [b""] * len(records.values))


def test_a_batch_without_numbers_is_of_nobody() -> None:
    for records in (RECORDS, Columns([b"a"])):
        assert b"".join(encode_parts(records, Numbers())) == encode_body(records)


def test_the_fixed_part_says_all_of_itself() -> None:
    assert decode_prefix(BODY[:BODY_PREFIX_BYTES]) == decode_prefix(BODY)
    with pytest.raises(BatchError, match="at least"):
        decode_prefix(BODY[: BODY_PREFIX_BYTES - 1])


@given(columns(), codecs)
def test_runs_are_the_records(records: Columns, codec: Codec) -> None:
    body = encode_body(records, codec=codec)
    assert listed(joined_runs(memoryview(body))) == listed(records)


@pytest.mark.parametrize(
    ("count", "size_bytes", "expected"),
    [(512, 1, [512]), (1100, 1, [512, 512, 76]), (300, 1024, [128, 128, 44]), (3, 10**6, [1] * 3)],
)
def test_runs_are_short(count: int, size_bytes: int, expected: list[int]) -> None:
    records = Columns([b"x" * size_bytes] * count, [b""] * count)
    runs = list(decode_runs(encode_body(records)))
    assert [len(run.values) for run in runs] == expected
    assert [len(run.keys or ()) for run in runs] == expected
