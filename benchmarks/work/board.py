"""What the processes of a run tell each other: a few counters in a shared file."""

import mmap
from pathlib import Path
from struct import Struct
from typing import Final

_SLOT: Final = Struct("=Q")
SLOTS: Final = 64
UNKNOWN: Final = 2**64 - 1


class Board:
    """Slot 0: how many records there are (UNKNOWN while they are produced); then one slot for
    each process of consumers: how many it has settled for good.

    Each slot has one writer, and eight aligned bytes are written at once.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SLOTS * _SLOT.size)

    @classmethod
    def create(cls, path: Path) -> "Board":
        """A new board; all counters are 0, the total is unknown."""
        path.write_bytes(bytes(SLOTS * _SLOT.size))
        board = cls(path)
        board.write(0, UNKNOWN)
        return board

    def write(self, slot: int, value: int) -> None:
        """Set a counter."""
        _SLOT.pack_into(self._map, slot * _SLOT.size, value)

    def read(self, slot: int) -> int:
        """A counter."""
        value: int = _SLOT.unpack_from(self._map, slot * _SLOT.size)[0]
        return value

    @property
    def settled(self) -> int:
        """How many records all processes together have settled."""
        return sum(self.read(slot) for slot in range(1, SLOTS))

    @property
    def is_done(self) -> bool:
        """Whether everything that was produced is settled."""
        total = self.read(0)
        return total != UNKNOWN and self.settled >= total
