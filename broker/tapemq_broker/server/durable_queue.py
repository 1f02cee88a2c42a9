"""Things that wait until logs are on disk up to an offset."""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

from tapemq.batch import LogId

Item = TypeVar("Item")

_EVERYTHING: Final = 1 << 64


class _Line(Generic[Item]):
    """What waits for one log. ``late`` is a heap of what belongs in front of something that was
    there before, by offset and order of coming: the answers to retries."""

    __slots__ = ("in_order", "late")

    def __init__(self) -> None:
        self.in_order: Final[deque[tuple[int, Item]]] = deque()
        self.late: Final[list[tuple[int, int, Item]]] = []

    def add(self, offset: int, item: Item, order: int) -> None:
        if self.in_order and offset < self.in_order[-1][0]:
            heappush(self.late, (offset, order, item))
        else:
            self.in_order.append((offset, item))

    def take(self, durable_offset: int) -> list[Item]:
        """All that waits for no more than this. What is late came after the others of its offset,
        and never after the last one: so nothing late is left when no others are."""
        taken: list[Item] = []
        in_order, late = self.in_order, self.late
        while in_order and in_order[0][0] <= durable_offset:
            while late and late[0][0] < in_order[0][0]:
                taken.append(heappop(late)[2])
            taken.append(in_order.popleft()[1])
        while late and late[0][0] <= durable_offset:
            taken.append(heappop(late)[2])
        return taken


class DurableQueue(Generic[Item]):
    """Per log in the order of offsets, and in the order of coming where these are the same.

    Where a change of state is not written yet, its offset is not known: such items wait without
    one until place(), which is asked for all logs of a topic together, because what one item
    waits for may be in several of them.
    """

    def __init__(self) -> None:
        self._by_log: Final[dict[LogId, _Line[Item]]] = {}
        self._order = 0
        self._unplaced: Final[dict[int, list[tuple[LogId, Item]]]] = {}

    @property
    def empty(self) -> bool:
        """Nothing waits."""
        return not (self._by_log or self._unplaced)

    def wait(self, log: LogId, offset: int | None, item: Item) -> None:
        """Hold an item back until the log is durable up to ``offset`` (None: not known yet)."""
        if offset is None:
            self._unplaced.setdefault(log.topic_id, []).append((log, item))
            return
        line = self._by_log.get(log)
        if line is None:
            line = self._by_log[log] = _Line()
        self._order += 1
        line.add(offset, item, self._order)

    def place(self, topic_id: int, end_of: Callable[[LogId], int]) -> set[LogId]:
        """Everything of a topic is written: what waits without an offset waits for the end.

        Returns the logs of what waited so.
        """
        unplaced = self._unplaced.pop(topic_id, [])
        for log, item in unplaced:
            self.wait(log, end_of(log), item)
        return {log for log, _ in unplaced}

    def release(self, log: LogId, durable_offset: int) -> list[Item]:
        """What need not wait any longer, in order."""
        line = self._by_log.get(log)
        if line is None:
            return []
        released = line.take(durable_offset)
        if not line.in_order:
            del self._by_log[log]
        return released

    def drop(self, log: LogId) -> list[Item]:
        """A log is removed: what still waited for it."""
        line = self._by_log.pop(log, None)
        dropped = [] if line is None else line.take(_EVERYTHING)
        unplaced = self._unplaced.pop(log.topic_id, [])
        dropped += [item for of, item in unplaced if of == log]
        left = [(of, item) for of, item in unplaced if of != log]
        if left:
            self._unplaced[log.topic_id] = left
        return dropped
