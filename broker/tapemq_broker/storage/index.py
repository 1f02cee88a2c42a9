"""The sparse index of a segment: where to start looking for an offset or a time.

Entries are taken every 64 KiB or so, so an index of a full segment takes 24 KiB. It is a cache:
it may be deleted, and is never trusted over the segment. But its *seal* proves something: it is
written when everything that it describes is on disk, so damage below is rot, not a torn tail.

File, integers big-endian and unsigned::

    magic "TMQI" | version u8 | flags u8 (bit 0: complete) | u16 zero | entry count u32
    log id: topic_id u64, partition u32, role u32
    base_offset u64 | size_bytes u64 | last_position u64
    end: next_offset u64, next_batch u64, last_checksum u32, log_epoch u32,
         last_append_time_us u64
    offsets u64 each | append times u64 each | positions u64 each
    CRC-32 of everything before it, u32
"""

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from tapemq.batch import Header, LogId, Role, checksum
from tapemq_broker.storage.chain import LogEnd

_MAGIC: Final = b"TMQI"
_VERSION: Final = 1
_HEAD: Final = Struct(">4sBBHI QII QQQ QQIIQ")
_CHECKSUM: Final = Struct(">I")
_ENTRY_BYTES: Final = 24
_ROLES: Final = {int(role): role for role in Role}
_SWAP: Final = sys.byteorder == "little"


class Seal(NamedTuple):
    """What was on disk when an index was written.

    ``last_position`` is where the last batch starts, ``end`` what the batch behind must continue.
    ``complete``: nothing was appended to the segment after that; otherwise more may have been.
    """

    log_id: LogId
    base_offset: int
    size_bytes: int
    last_position: int
    end: LogEnd
    complete: bool


class Entry(NamedTuple):
    """A place in a segment where a batch begins, and its base offset (or a lower bound)."""

    position: int
    offset: int


START: Final = Entry(0, 0)
"""The start of any segment."""


class Index:
    """Entries of offset, append time and position, each ascending.

    One thread adds. Others may look up meanwhile: an entry counts once it has its offset, which
    is added last.
    """

    __slots__ = ("_next_position", "_offsets", "_positions", "_times")

    def __init__(self) -> None:
        self._offsets = array("Q")
        self._times = array("Q")
        self._positions = array("Q")
        self._next_position = 0

    def __len__(self) -> int:
        return len(self._offsets)

    def add(self, header: Header, position: int, interval_bytes: int) -> None:
        """Take a batch into the index if the entry before it is far enough away."""
        if position >= self._next_position:
            self._positions.append(position)
            self._times.append(header.append_time_us)
            self._offsets.append(header.base_offset)
            self._next_position = position + interval_bytes

    @property
    def begun_us(self) -> int | None:
        """Broker time of the first batch, which is always taken; None if there is none."""
        return self._times[0] if self._times else None

    def entries(self) -> Iterator[Entry]:
        """All of them, ascending."""
        return map(self._entry, range(len(self)))

    def find(self, offset: int) -> Entry:
        """Where to start looking for the batch that contains ``offset``."""
        number = bisect_right(self._offsets, offset) - 1
        # A batch without records has the base offset of the batch behind it: start at the first.
        while number > 0 and self._offsets[number - 1] == self._offsets[number]:
            number -= 1
        return self._entry(number)

    def find_time(self, time_us: int) -> Entry:
        """Where to start looking for the first batch appended at ``time_us`` or later."""
        return self._entry(bisect_left(self._times, time_us, 0, len(self._offsets)) - 1)

    def _entry(self, number: int) -> Entry:
        return Entry(self._positions[number], self._offsets[number]) if number >= 0 else START

    def encode(self, seal: Seal) -> bytes:
        """The index as a file."""
        head = _HEAD.pack(
            *(_MAGIC, _VERSION, seal.complete, 0, len(self)),
            *seal.log_id,
            *(seal.base_offset, seal.size_bytes, seal.last_position),
            *seal.end,
        )
        data = head + b"".join(map(_column, (self._offsets, self._times, self._positions)))
        return data + _CHECKSUM.pack(checksum(data))

    @classmethod
    def decode(cls, data: bytes) -> "tuple[Seal, Index] | None":
        """Read an index file; None if a single bit of it is wrong, or its version is another."""
        end = len(data) - _CHECKSUM.size
        if end < _HEAD.size or _CHECKSUM.unpack_from(data, end) != (checksum(data[:end]),):
            return None
        magic, version, flags, _, count, *fields = _HEAD.unpack_from(data)
        if magic != _MAGIC or version != _VERSION or fields[2] not in _ROLES:
            return None
        if end != _HEAD.size + count * _ENTRY_BYTES:
            return None
        log_id = LogId(fields[0], fields[1], _ROLES[fields[2]])
        base_offset, size_bytes, last_position, *log_end = fields[3:]
        seal = Seal(
            log_id, base_offset, size_bytes, last_position, LogEnd(*log_end), bool(flags & 1)
        )
        return seal, cls._of_columns(data[_HEAD.size : end], count)

    @classmethod
    def _of_columns(cls, data: bytes, count: int) -> "Index":
        index = cls()
        for number, column in enumerate((index._offsets, index._times, index._positions)):
            column.frombytes(data[number * count * 8 : (number + 1) * count * 8])
            if _SWAP:
                column.byteswap()
        return index


def _column(values: "array[int]") -> bytes:
    if not _SWAP:
        return values.tobytes()
    swapped = array("Q", values)
    swapped.byteswap()
    return swapped.tobytes()
