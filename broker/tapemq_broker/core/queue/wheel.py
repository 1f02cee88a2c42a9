"""Deadlines of many leases: in slots of time, so that most are forgotten before they come."""

from heapq import heapify, heappop, heappush
from typing import Final

SLOT_S: Final = 0.1
"""A deadline is met at most so much later."""

_STALE_MAX: Final = 1000
"""So many more numbers than slots are kept in order."""


class Wheel:
    """Ids by the slot of their deadline. Adding and removing cost the same for any number."""

    def __init__(self) -> None:
        self._slots: dict[int, set[int]] = {}
        self._order: list[int] = []  # of all slots, and of some that are no more

    def add(self, item: int, deadline: float) -> None:
        """``deadline`` is in seconds."""
        number = int(deadline / SLOT_S) + 1
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = set()
            heappush(self._order, number)
        slot.add(item)

    def remove(self, item: int, deadline: float) -> None:
        """Of an item that was added with this deadline; nothing, if it has come."""
        number = int(deadline / SLOT_S) + 1
        slot = self._slots.get(number)
        if slot is not None:
            slot.discard(item)
            if not slot:
                del self._slots[number]
                if len(self._order) > 2 * len(self._slots) + _STALE_MAX:
                    self._order = list(self._slots)
                    heapify(self._order)

    def due(self, now: float, limit: int) -> list[int]:
        """At most ``limit`` items whose deadline has come; they are removed."""
        found: list[int] = []
        while self._order and self._order[0] * SLOT_S <= now and len(found) < limit:
            slot = self._slots.get(self._order[0])
            while slot and len(found) < limit:
                found.append(slot.pop())
            if not slot:
                self._slots.pop(heappop(self._order), None)
        return found
