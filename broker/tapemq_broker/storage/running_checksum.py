"""CRC-32 of any stretch of a file, for the price of reading the file once.

Bytes that a client sent may look like the headers of very many large batches, one inside the other.
To read all of each for its checksum would take hours. So the file's own checksum is noted at every
mark, and that of a stretch follows from what it is up to where the stretch begins and ends.
"""

from array import array
from functools import cache
from typing import Final

from tapemq.batch import checksum
from tapemq_broker.storage.disk import File

_STEP_BYTES: Final = 16 * 1024
_READ_STEPS: Final = 64

Table = list[int]


class RunningChecksum:
    """The checksums of a file that does not change, from ``start`` on."""

    def __init__(self, file: File, start: int) -> None:
        self._file: Final = file
        self._start: Final = start
        # Of all bytes from the start up to each mark.
        self._marks: Final = array("L", [0])

    def of(self, first: int, stop: int) -> int:
        """That of the bytes from ``first`` (not before the start) to ``stop``. Raises OSError."""
        return self._upto(stop) ^ _behind_zeros(self._upto(first), stop - first)

    def _upto(self, position: int) -> int:
        steps, rest_bytes = divmod(position - self._start, _STEP_BYTES)
        while len(self._marks) <= steps:
            self._read_on(steps)
        rest = self._file.read(position - rest_bytes, rest_bytes)
        return checksum(rest, self._marks[steps])

    def _read_on(self, steps: int) -> None:
        """Up to that mark at most: what is behind may be what the disk cannot read."""
        known = len(self._marks) - 1
        size_bytes = min(steps - known, _READ_STEPS) * _STEP_BYTES
        piece = memoryview(self._file.read(self._start + known * _STEP_BYTES, size_bytes))
        for at in range(0, size_bytes, _STEP_BYTES):
            self._marks.append(checksum(piece[at : at + _STEP_BYTES], self._marks[-1]))


def _behind_zeros(before: int, size_bytes: int) -> int:
    """What a checksum adds to that of so many bytes behind it: as if they were zeros."""
    level = 0
    while size_bytes >> level:
        if size_bytes >> level & 1:
            before = _apply(_tables(level), before)
        level += 1
    return before


def _apply(tables: tuple[Table, ...], value: int) -> int:
    first, second, third, fourth = tables
    return (
        first[value & 255]
        ^ second[value >> 8 & 255]
        ^ third[value >> 16 & 255]
        ^ fourth[value >> 24]
    )


@cache
def _tables(level: int) -> tuple[Table, ...]:
    """For each byte of a checksum, what 2**level zeros make of it. A CRC is linear: what they make
    of several bits is the exclusive or of what they make of each."""
    if level == 0:
        bits = [checksum(b"\0", 1 << bit) ^ checksum(b"\0") for bit in range(32)]
    else:
        half = _tables(level - 1)
        bits = [_apply(half, _apply(half, 1 << bit)) for bit in range(32)]
    return tuple(_table(bits[first : first + 8]) for first in range(0, 32, 8))


def _table(bits: list[int]) -> Table:
    table = [0]
    for bit in bits:
        table += [value ^ bit for value in table]
    return table
