"""Records that are parked beyond the look-ahead: their offsets, without their keys."""

from collections.abc import Iterable
from typing import Final
from zlib import crc32

from pyroaring import BitMap64

from tapemq_broker.core.queue.lane import Lane

RECORDS_MAX: Final = 1 << 25
"""Most records. Scattered over many keys, each takes about two bytes."""

_SETS: Final = 256


class Beyond:
    """Sets of offsets, of which each lane has one: by a hash, so a few lanes may share it."""

    def __init__(self) -> None:
        self._sets: dict[int, BitMap64] = {}
        self.count = 0

    @property
    def is_full(self) -> bool:
        """Whether no more records may be parked here."""
        return self.count >= RECORDS_MAX

    def clear(self) -> None:
        """Forget everything; so have the lanes."""
        self._sets.clear()
        self.count = 0

    def park(self, lane: Lane, offset: int) -> None:
        """The last record of a lane."""
        if lane.offsets is None:
            lane.offsets = self._sets.setdefault(crc32(lane.key) % _SETS, BitMap64())
        if not lane.has_beyond:
            lane.beyond_first = offset
        lane.offsets.add(offset)
        lane.beyond_last = offset
        lane.beyond += 1
        self.count += 1

    def next_of(self, lane: Lane) -> int | None:
        """No record of a lane is before this one; None if there are none."""
        if lane.offsets is not None and lane.has_beyond:
            first = next(lane.offsets.iter_equal_or_larger(lane.beyond_first), None)
            if first is not None and first <= lane.beyond_last:
                lane.beyond_first = first
                return first
        _empty(lane)
        return None

    def is_next(self, lane: Lane, offset: int, since: int) -> bool:
        """Whether a record of a lane is its next one, if all from ``since`` on were looked at."""
        if lane.offsets is None or not lane.beyond_first <= offset <= lane.beyond_last:
            return False
        if offset not in lane.offsets:
            return False
        if lane.beyond_first < since:
            if next(lane.offsets.iter_equal_or_larger(lane.beyond_first), since) < since:
                return False
            lane.beyond_first = since
        return True

    def take(self, lane: Lane, offset: int) -> None:
        """The next record of a lane is parked here no more."""
        if lane.offsets is not None:
            lane.offsets.remove(offset)
            lane.beyond_first = offset + 1
            lane.beyond -= 1
            self.count -= 1
            if not lane.has_beyond:
                _empty(lane)

    def forget_below(self, offset: int, lanes: Iterable[Lane]) -> None:
        """Records are gone; how many of each lane is known again once it is empty."""
        if not self.count:
            return
        for offsets in self._sets.values():
            offsets.remove_range(0, offset)
        self.count = sum(map(len, self._sets.values()))
        for lane in lanes:
            if lane.beyond_first < offset and lane.offsets is not None and lane.has_beyond:
                lane.beyond_first = offset
                left = lane.offsets.range_cardinality(offset, max(offset, lane.beyond_last + 1))
                lane.beyond = min(lane.beyond, left)
                if not left:
                    _empty(lane)


def _empty(lane: Lane) -> None:
    lane.beyond_first, lane.beyond_last, lane.beyond = 0, -1, 0
