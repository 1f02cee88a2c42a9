"""What is sent of a lease, and what is not."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from tapemq.batch.cut import Part
from tapemq.wire.limits import RUNS_MAX
from tapemq_broker.server.batches import Batch, Batches

Runs = list[tuple[int, int]]
"""Offsets as (first, next) pairs, ascending."""


class LeaseContents:
    """Fills with records until about ``max_bytes``, but takes at least one.

    ``too_old_us`` and ``expired_us`` are append times: what was appended before is not sent. At
    ``now_us`` records may be past their own time to live (0: that does not count).
    ``upto`` is how far it has come; runs that were not sent are in ``absent``, ``expired`` and
    ``too_old``.
    """

    def __init__(
        self,
        upto: int,
        max_bytes: int,
        *,
        too_old_us: int = 0,
        expired_us: int = 0,
        now_us: int = 0,
    ) -> None:
        self._now_us: Final = now_us
        self._max_bytes: Final = max_bytes
        self._too_old_us: Final = too_old_us
        self._expired_us: Final = expired_us
        self._parts: Final[list[Part]] = []
        # Whole batches that lie one behind the other are one part: (of what, start, stop).
        self._whole: tuple[memoryview, int, int] | None = None
        self._whole_batch: Batch | None = None
        self._is_full = False
        self.upto = upto
        self.size_bytes = 0
        self.records = 0
        self.sent: Final[Runs] = []
        self.absent: Final[Runs] = []
        self.expired: Final[Runs] = []
        self.too_old: Final[Runs] = []

    @property
    def is_full(self) -> bool:
        """Nothing more goes in."""
        room_bytes = self._max_bytes - self.size_bytes
        return self._is_full or room_bytes <= 0 or len(self.sent) >= RUNS_MAX

    def skip(self, first: int, upto: int) -> None:
        """These do not exist."""
        _extend(self.absent, first, upto)
        self.upto = upto

    def take(self, batches: Batches, first: int, upto: int) -> None:
        """Take records of a run, as far as they are in ``batches`` and there is room."""
        stop = min(upto, batches.next_offset)
        while first < stop and not self.is_full:
            batch = batches.find(first)
            if batch is None or batch.base_offset >= stop:
                self.skip(first, stop)
                return
            if first < batch.base_offset:
                self.skip(first, batch.base_offset)
            first = max(first, batch.base_offset)
            end = min(stop, batch.next_offset)
            self._take(batches.data, batch, first, end)
            first = end

    def _take(self, data: memoryview, batch: Batch, first: int, end: int) -> None:
        """Take records of one batch."""
        if batch.append_time_us < self._expired_us:
            self._expire(first, end)
        elif batch.append_time_us < self._too_old_us:
            _extend(self.too_old, first, end)
            self.upto = end
        elif self._now_us and batch.may_expire:
            for low, high, is_expired in _parted(batch, first, end, self._now_us):
                if self.is_full:
                    return
                if is_expired:
                    self._expire(low, high)
                else:
                    self._take_living(data, batch, low, high)
        else:
            self._take_living(data, batch, first, end)

    def _expire(self, first: int, end: int) -> None:
        _extend(self.expired, first, end)
        self.upto = end

    def _take_living(self, data: memoryview, batch: Batch, first: int, end: int) -> None:
        if batch is self._whole_batch:
            self._sent(first, end)  # compressed, and here because of other records of it
        else:
            fitting = self._fitting(batch, first, end)
            self._is_full = fitting < end
            if fitting == first:
                return
            end = fitting
            self._send(data, batch, first, end)
        self.upto = end

    def _fitting(self, batch: Batch, first: int, end: int) -> int:
        """Up to where there is about room for the records of a batch."""
        room_bytes = self._max_bytes - self.size_bytes
        if batch.size_bytes <= room_bytes:
            return end
        if batch.is_compressed:
            return first if self.size_bytes else end
        count = batch.next_offset - batch.base_offset
        fitting = room_bytes * count // batch.size_bytes
        return min(end, first + max(fitting, 0 if self.size_bytes else 1))

    def _send(self, data: memoryview, batch: Batch, first: int, end: int) -> None:
        if (first, end) == (batch.base_offset, batch.next_offset) or batch.is_compressed:
            self._add_whole(data, batch)
        else:
            self._flush()
            parts = batch.cut(first, end)
            self._parts.extend(parts)
            self.size_bytes += sum(map(len, parts))
        self._sent(first, end)

    def _sent(self, first: int, end: int) -> None:
        _extend(self.sent, first, end)
        self.records += end - first

    def _add_whole(self, data: memoryview, batch: Batch) -> None:
        self._whole_batch = batch
        self.size_bytes += batch.size_bytes
        whole = self._whole
        if whole is not None and whole[0] is data and whole[2] == batch.start:
            self._whole = (data, whole[1], batch.stop)
        else:
            self._flush()
            self._whole = (data, batch.start, batch.stop)

    def _flush(self) -> None:
        if self._whole is not None:
            data, start, stop = self._whole
            self._parts.append(data[start:stop])
            self._whole = None

    def payload(self) -> Sequence[Part]:
        """The batches, in pieces."""
        self._flush()
        return self._parts


def _parted(batch: Batch, first: int, end: int, now_us: int) -> Iterator[tuple[int, int, bool]]:
    """Runs of records of a batch that have, or have not, expired."""
    base, passed_us = batch.base_offset, now_us - batch.append_time_us
    ttls = batch.ttls[first - base : end - base]
    for is_expired, run in groupby(0 < ttl_us < passed_us for ttl_us in ttls):
        low, first = first, first + len(list(run))
        yield low, first, is_expired


def _extend(runs: Runs, first: int, upto: int) -> None:
    if runs and runs[-1][1] == first:
        runs[-1] = (runs[-1][0], upto)
    else:
        runs.append((first, upto))
