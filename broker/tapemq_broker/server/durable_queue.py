"""Things that wait until logs are on disk up to an offset."""

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from tapemq.batch import LogId

Item = TypeVar("Item")


class DurableQueue(Generic[Item]):
    """Per log in the order of offsets, and in the order of coming where these are the same.

    Where a change of state is not written yet, its offset is not known: such items wait without
    one until place(), which is asked for all logs of a topic together, because what one item
    waits for may be in several of them.
    """

    def __init__(self) -> None:
        self._by_log: Final[dict[LogId, deque[tuple[int, Item]]]] = {}
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
        queue = self._by_log.setdefault(log, deque())
        # Appends come in order; only the answer to a retry belongs further to the front.
        behind: list[tuple[int, Item]] = []
        while queue and queue[-1][0] > offset:
            behind.append(queue.pop())
        queue.append((offset, item))
        queue.extend(reversed(behind))

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
        queue = self._by_log.get(log)
        released: list[Item] = []
        if queue is None:
            return released
        while queue and queue[0][0] <= durable_offset:
            released.append(queue.popleft()[1])
        if not queue:
            del self._by_log[log]
        return released

    def drop(self, log: LogId) -> list[Item]:
        """A log is removed: what still waited for it."""
        dropped = [item for _, item in self._by_log.pop(log, ())]
        unplaced = self._unplaced.pop(log.topic_id, [])
        dropped += [item for of, item in unplaced if of == log]
        left = [(of, item) for of, item in unplaced if of != log]
        if left:
            self._unplaced[log.topic_id] = left
        return dropped
