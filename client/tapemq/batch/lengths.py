"""The length table of a column, and cutting the column by it."""

import sys
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain
from struct import Struct
from typing import Final

NONE_LENGTH: Final = 0xFFFF_FFFF
"""Length of what is not there, as opposed to empty."""

LENGTH_BYTES: Final = 4
SWAP: Final = sys.byteorder == "little"
assert array("I").itemsize == LENGTH_BYTES

_RUN: Final = 512
"""Most entries that are cut with one layout."""


class Lengths:
    """A decoded table. Where all entries are of one size, as they often are, nothing is done for
    each of them."""

    __slots__ = ("_all", "_each", "_starts", "count", "missing", "total_bytes")

    def __init__(self, table: bytes | memoryview) -> None:
        table = bytes(table)
        first = table[:LENGTH_BYTES]
        self.count = len(table) // LENGTH_BYTES
        self._each = int.from_bytes(first, "big")
        self._all: array[int] | None = None
        self._starts: array[int] | None = None
        self.missing = self.count if self._each == NONE_LENGTH else 0
        """How many entries are not there."""
        self.total_bytes = (self.count - self.missing) * self._each
        """Size of the column."""
        if table != first * self.count:
            self._decode(table)

    def _decode(self, table: bytes) -> None:
        self._all = array("I")
        self._all.frombytes(table)
        if SWAP:
            self._all.byteswap()
        self.missing = 0
        self.total_bytes = sum(self._all)
        # Counting takes as long as adding up; one missing entry alone is more than a body holds.
        if self.total_bytes >= NONE_LENGTH:
            self.missing = self._all.count(NONE_LENGTH)
            self.total_bytes -= self.missing * NONE_LENGTH

    @property
    def longest(self) -> int:
        """Length of the longest entry; 0 if there is none."""
        if self._all is None:
            return 0 if self.missing else self._each
        longest = max(self._all)
        if longest != NONE_LENGTH:
            return longest
        return max((length for length in self._all if length != NONE_LENGTH), default=0)

    def start_of(self, index: int) -> int:
        """Where an entry begins in its column; for ``count``, where the column ends."""
        if self._all is None:
            return 0 if self.missing else index * self._each
        if self._starts is None:
            lengths = (0 if length == NONE_LENGTH else length for length in self._all)
            self._starts = array("I", accumulate(lengths if self.missing else self._all, initial=0))
        return self._starts[index]

    def split(self, data: bytes | memoryview, start: int) -> list[bytes | None]:
        """Cut the column that begins at ``start``."""
        return list(chain.from_iterable(self.runs(data, start, _RUN)))

    def runs(
        self, data: bytes | memoryview, start: int, count: int
    ) -> Iterator[Sequence[bytes | None]]:
        """Cut the column that begins at ``start``, so many entries at a time.

        A struct format for all of them lets C do the cutting: 0.02 µs an entry, 0.06 if their
        lengths differ, where slices cost 0.12. A few hundred at a time stay in the processor's
        cache: cutting 9,000 entries of 100 B at once takes twice as long for each.
        """
        for first in range(0, self.count, count):
            if self.missing:
                items = self._pick(data, start, first, count)
                yield items
                start += sum(len(item) for item in items if item is not None)
            else:
                layout = self._layout(first, count)
                yield layout.unpack_from(data, start)
                start += layout.size

    def _layout(self, first: int, count: int) -> Struct:
        if self._all is None:
            return _layout_of_each(self._each, min(count, self.count - first))
        return Struct("".join(map(_pieces.__getitem__, self._all[first : first + count])))

    def _pick(
        self, data: bytes | memoryview, start: int, first: int, count: int
    ) -> list[bytes | None]:
        if self._all is None:
            return [None] * min(count, self.count - first)
        items: list[bytes | None] = []
        for length in self._all[first : first + count]:
            if length == NONE_LENGTH:
                items.append(None)
            else:
                items.append(bytes(data[start : start + length]))
                start += length
        return items


@lru_cache(maxsize=32)
def _layout_of_each(length: int, count: int) -> Struct:
    return Struct(f"{length}s" * count)


class _Pieces(dict[int, str]):
    """Struct codes by length, made when first met."""

    def __missing__(self, length: int) -> str:
        if len(self) >= _PIECES_MAX:
            self.clear()
        piece = self[length] = f"{length}s"
        return piece


_PIECES_MAX: Final = 4096
_pieces: Final = _Pieces()
