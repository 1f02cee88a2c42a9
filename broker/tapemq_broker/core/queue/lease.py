"""A lease: offsets handed out together to one consumer, until a deadline."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

Run = tuple[int, int]
"""Offsets from the first up to, without, the second."""


class Lease:
    """The offsets of ``runs`` whose bits are still set in ``open``; bits count through the runs.

    ``started``: those whose handlers have begun. ``troubled``: the records have failed before, or
    were dead; else there is no trouble with any of them. ``deliveries``: of each, before this.
    ``lease_s``: for how long it is given, and extended, whatever becomes of the group's settings.
    """

    __slots__ = (
        "_starts",
        "count",
        "deadline",
        "deliveries",
        "lease_id",
        "lease_s",
        "open",
        "runs",
        "started",
        "troubled",
    )

    def __init__(
        self,
        lease_id: int,
        runs: Sequence[Run],
        *,
        troubled: bool,
        deliveries: int,
        lease_s: float,
    ) -> None:
        self.lease_id = lease_id
        self.lease_s = lease_s
        self.runs = tuple(runs)
        *starts, self.count = accumulate((end - first for first, end in runs), initial=0)
        self._starts = tuple(starts) if len(starts) > 1 else (0,)
        self.open = (1 << self.count) - 1
        self.started = 0
        self.troubled = troubled
        self.deliveries = deliveries
        self.deadline = 0.0

    def open_runs(self) -> list[Run]:
        """What is still held."""
        is_whole = self.open.bit_count() == self.count
        return list(self.runs) if is_whole else self._runs_of(self.open)

    def take(self, first: int, end: int) -> list[Run]:
        """Let go of what is still held of a run; what that was."""
        held = self._bits(first, end) & self.open
        self.open ^= held
        if held.bit_count() == end - first:
            return [(first, end)]
        return self._runs_of(held) if held else []

    def take_started(self) -> list[Run]:
        """Let go of all whose handlers have begun."""
        bits = self.open & self.started
        self.open ^= bits
        return self._runs_of(bits) if bits else []

    def start(self, first: int, end: int) -> None:
        """Handlers of what is held of a run have begun."""
        self.started |= self._bits(first, end) & self.open

    def held(self, first: int, end: int) -> list[Run]:
        """What is still held of a run."""
        return self._runs_of(self._bits(first, end) & self.open)

    def _bits(self, first: int, end: int) -> int:
        """The bits of those of a run's offsets that the lease began with."""
        base, upto = self.runs[0]
        if base <= first and end <= upto:  # as nearly always
            return ((1 << end - first) - 1) << first - base
        low = self._bit(first)
        return ((1 << self._bit(end) - low) - 1) << low

    def _bit(self, offset: int) -> int:
        """How many offsets that the lease began with are below this one.

        Found without looking at each run: clients may name a lease again and again.
        """
        number = bisect_left(self.runs, (offset,)) - 1
        if number < 0:
            return 0
        base, upto = self.runs[number]
        return self._starts[number] + min(offset, upto) - base

    def _runs_of(self, bits: int) -> list[Run]:
        found: list[Run] = []
        for (base, end), start in zip(self.runs, self._starts, strict=True):
            part = bits >> start & (1 << end - base) - 1
            while part:
                low = (part & -part).bit_length() - 1
                part >>= low
                length = (~part & part + 1).bit_length() - 1
                found.append((base + low, base + low + length))
                base += low + length
                part >>= length
        return found


def without(wanted: Run, taken: Sequence[Run]) -> list[Run]:
    """What is left of a run without others inside of it, which are in order."""
    left: list[Run] = []
    first, end = wanted
    for low, high in taken:
        if first < low:
            left.append((first, low))
        first = high
    return [*left, (first, end)] if first < end else left


def size(runs: Sequence[Run]) -> int:
    """How many offsets that is."""
    return sum(end - first for first, end in runs)
