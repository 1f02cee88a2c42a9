import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch import columns as module
from tapemq.batch.columns import (
    NONE_LENGTH,
    column_bytes,
    decode_lengths,
    encode_column,
    split_column,
    split_sparse_column,
)

ITEMS = st.lists(st.binary(max_size=30), max_size=30)


@given(ITEMS)
def test_round_trip(items: list[bytes]) -> None:
    table, data, sparse = encode_column(items)
    lengths = decode_lengths(table)
    assert not sparse
    assert column_bytes(lengths) == len(data)
    assert list(split_column(b"before" + data + b"behind", 6, lengths)) == items
    assert split_sparse_column(b"before" + data, 6, lengths) == items


@given(st.lists(st.none() | st.binary(max_size=30), max_size=30))
def test_round_trip_with_missing_entries(items: list[bytes | None]) -> None:
    table, data, sparse = encode_column(items)
    lengths = decode_lengths(memoryview(table))
    assert sparse == (None in items)
    assert column_bytes(lengths) == len(data)
    assert split_sparse_column(data, 0, lengths) == items


def test_tables_are_big_endian() -> None:
    assert encode_column([b"ab", None]).table == b"\0\0\0\2\xff\xff\xff\xff"
    assert list(decode_lengths(struct.pack(">2I", 0x01020304, 5))) == [0x01020304, 5]


def test_missing_entries_take_no_bytes() -> None:
    assert column_bytes(array("I", [NONE_LENGTH, 3, NONE_LENGTH])) == 3


def test_empty_entries_at_the_end_of_the_data() -> None:
    assert split_column(b"abc", 3, array("I", [0, 0])) == (b"", b"")


def test_what_is_remembered_of_lengths_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECES_MAX", 3)
    pieces = module._Pieces()
    assert [pieces[length] for length in range(10)] == [f"{length}s" for length in range(10)]
    assert len(pieces) <= 3
