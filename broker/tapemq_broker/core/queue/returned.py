"""Records that were handed out, and came back without any fault of theirs."""

from heapq import heappop
from typing import Final

from pyroaring import BitMap64

from tapemq_broker.core.queue.lease import Run
from tapemq_broker.core.queue.settled import end_of_run

RUNS_MAX: Final = 256
"""Most runs of offsets in one lease: so many fit into a message."""

_DELIVERIES_MAX: Final = 100
"""More is not counted, so that there are not more sets than that."""


def lowest_runs(heap: list[int], limit: int) -> list[Run]:
    """Runs of at most ``limit`` of the lowest offsets, which are removed."""
    runs: list[Run] = []
    while heap and limit:
        if runs and runs[-1][1] == heap[0]:
            runs[-1] = (runs[-1][0], heappop(heap) + 1)
        elif len(runs) == RUNS_MAX:
            break
        else:
            offset = heappop(heap)
            runs.append((offset, offset + 1))
        limit -= 1
    return runs


class Returned:
    """Sets of offsets, by how often they were handed out."""

    def __init__(self) -> None:
        self._sets: dict[int, BitMap64] = {}

    def __bool__(self) -> bool:
        return bool(self._sets)

    def add(self, first: int, next_offset: int, deliveries: int) -> None:
        """A run has come back."""
        deliveries = min(deliveries, _DELIVERIES_MAX)
        offsets = self._sets.get(deliveries)
        if offsets is None:
            offsets = self._sets[deliveries] = BitMap64()
        offsets.add_range(first, next_offset)

    def take(self, limit: int) -> tuple[list[tuple[int, int]], int]:
        """Runs of at most ``limit`` records, oldest first, and how often they were handed out."""
        deliveries = min(self._sets, key=lambda number: self._sets[number].min())
        offsets = self._sets[deliveries]
        runs: list[tuple[int, int]] = []
        while offsets and limit and len(runs) < RUNS_MAX:
            first = offsets.min()
            end = end_of_run(offsets, first, first + limit)
            offsets.remove_range(first, end)
            runs.append((first, end))
            limit -= end - first
        if not offsets:
            del self._sets[deliveries]
        return runs, deliveries

    def forget_below(self, offset: int) -> None:
        """Records below an offset do not count any more."""
        for deliveries, offsets in list(self._sets.items()):
            offsets.remove_range(0, offset)
            if not offsets:
                del self._sets[deliveries]

    def clear(self) -> None:
        """None are left."""
        self._sets.clear()
