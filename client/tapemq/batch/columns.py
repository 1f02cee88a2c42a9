"""Columns of a body: a table of lengths, and the bytes one behind the other."""

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from tapemq.batch.lengths import NONE_LENGTH, SWAP


class EncodedColumn(NamedTuple):
    """A column's length table, its entries without those that miss, and whether one does."""

    table: bytes
    entries: Sequence[bytes]
    sparse: bool


def encode_column(column: Sequence[bytes | None]) -> EncodedColumn:
    """Make the table: 0.03 µs an entry when none is missing."""
    entries: Sequence[bytes]
    try:
        lengths = array("I", map(len, column))  # type: ignore[arg-type]
    except TypeError:  # asking for None first would cost as much as all the rest
        lengths = array("I", [NONE_LENGTH if item is None else len(item) for item in column])
        entries, sparse = [item for item in column if item], True
    else:
        entries, sparse = column, False  # type: ignore[assignment]
    if SWAP:
        lengths.byteswap()
    return EncodedColumn(lengths.tobytes(), entries, sparse)
