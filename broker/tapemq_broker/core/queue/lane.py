"""What is known of a key, in a queue group that keeps the order of each key."""

from collections import deque
from dataclasses import dataclass, field

from pyroaring import BitMap64


@dataclass(slots=True, eq=False)
class Lane:
    """``slots``: how many records are ready, leased, or failed and blocking. ``parked``: those
    behind them.

    Behind these, ``beyond`` records of which there are only offsets, in a set that other lanes
    share: from ``beyond_first``, before which there are none, to ``beyond_last``, which is one.
    """

    key: bytes
    slots: int = 0
    parked: deque[int] = field(default_factory=deque)
    beyond: int = 0
    beyond_first: int = 0
    beyond_last: int = -1
    offsets: BitMap64 | None = None

    @property
    def has_beyond(self) -> bool:
        """Whether there are records of which there are only offsets."""
        return self.beyond_first <= self.beyond_last

    @property
    def waiting(self) -> int:
        """How many records wait for a slot."""
        return len(self.parked) + self.beyond
