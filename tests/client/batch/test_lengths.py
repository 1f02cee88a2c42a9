import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch import lengths as module
from tapemq.batch.columns import encode_column
from tapemq.batch.lengths import NONE_LENGTH, Lengths

Items = Sequence[bytes | None]

DIFFERENT = st.lists(st.none() | st.binary(max_size=30), min_size=1, max_size=30)
ALIKE = st.builds(
    lambda item, count: [item] * count, st.none() | st.binary(max_size=30), st.integers(1, 30)
)


def table(*lengths: int) -> Lengths:
    return Lengths(struct.pack(f">{len(lengths)}I", *lengths))


def encoded(items: Items) -> tuple[Lengths, bytes]:
    column = encode_column(items)
    return Lengths(memoryview(column.table)), b"".join(column.entries)


@given(DIFFERENT | ALIKE)
def test_column_is_cut_as_it_was_joined(items: Items) -> None:
    lengths, data = encoded(items)
    assert lengths.split(b"before" + data + b"behind", 6) == items
    assert lengths.split(memoryview(data), 0) == items


@given(DIFFERENT | ALIKE, st.integers(1, 35))
def test_column_is_cut_in_runs(items: Items, count: int) -> None:
    lengths, data = encoded(items)
    runs = [list(run) for run in lengths.runs(b"before" + data, 6, count)]
    assert [item for run in runs for item in run] == items
    assert [len(run) for run in runs[:-1]] == [count] * (len(runs) - 1)


@given(DIFFERENT | ALIKE)
def test_entries_begin_where_those_before_them_end(items: Items) -> None:
    lengths, data = encoded(items)
    sizes = [len(item or b"") for item in items]
    starts = [sum(sizes[:index]) for index in range(len(items) + 1)]
    assert [lengths.start_of(index) for index in range(len(items) + 1)] == starts
    assert starts[-1] == len(data)


@given(DIFFERENT | ALIKE)
def test_table_is_summed_up(items: Items) -> None:
    lengths, data = encoded(items)
    assert lengths.count == len(items)
    assert lengths.missing == items.count(None)
    assert lengths.total_bytes == len(data)
    assert lengths.longest == max(len(item or b"") for item in items)


@given(DIFFERENT | ALIKE)
def test_entries_are_bytes_of_their_own(items: Items) -> None:
    lengths, data = encoded(items)
    cut = lengths.split(memoryview(data), 0)
    assert {type(item) for item in cut} <= {bytes, type(None)}


def test_tables_are_big_endian() -> None:
    lengths = table(0x01020304, 5)
    assert (lengths.total_bytes, lengths.longest) == (0x01020304 + 5, 0x01020304)


@pytest.mark.parametrize("largest", [NONE_LENGTH - 1, 0x80000000])
def test_lengths_that_are_too_large_to_be_true_are_no_missing_entries(largest: int) -> None:
    for lengths in (table(largest, largest, 7), table(largest, largest)):
        assert lengths.missing == 0
        assert lengths.longest == largest
        assert lengths.total_bytes >= 2 * largest


def test_what_is_remembered_of_lengths_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECES_MAX", 3)
    pieces = module._Pieces()
    assert [pieces[length] for length in range(10)] == [f"{length}s" for length in range(10)]
    assert len(pieces) <= 3
