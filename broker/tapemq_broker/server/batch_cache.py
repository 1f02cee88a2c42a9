"""Batches that were read for queue groups, kept while there is room for them."""

from bisect import bisect_right, insort
from collections import OrderedDict
from typing import Final

from tapemq.batch import LogId
from tapemq_broker.server.batches import Batches


class BatchCache:
    """Shared by all groups; what was not used for longest goes first.

    A batch is read once and then cut again and again, by one group or several. The newest entry
    stays even if it alone is larger than ``limit_bytes``.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes: Final = limit_bytes
        self._entries: Final[OrderedDict[tuple[LogId, int], Batches]] = OrderedDict()
        self._firsts: Final[dict[LogId, list[int]]] = {}
        self.size_bytes = 0

    def find(self, log_id: LogId, offset: int) -> Batches | None:
        """What holds an offset."""
        found = self._before(log_id, offset)
        if found is None or offset >= found.next_offset:
            return None
        self._entries.move_to_end((log_id, found.first))
        return found

    def hint(self, log_id: LogId, offset: int) -> object:
        """What makes reading from an offset cheap, if what is before it was read."""
        found = self._before(log_id, offset - 1)
        return found.hint if found is not None and found.next_offset == offset else None

    def _before(self, log_id: LogId, offset: int) -> Batches | None:
        """What begins at an offset, or last before it."""
        firsts = self._firsts.get(log_id, ())
        number = bisect_right(firsts, offset)
        return self._entries[log_id, firsts[number - 1]] if number else None

    def put(self, log_id: LogId, batches: Batches) -> None:
        """Keep what was read."""
        self._remove(log_id, batches.first)
        self._entries[log_id, batches.first] = batches
        insort(self._firsts.setdefault(log_id, []), batches.first)
        self.size_bytes += batches.size_bytes
        while self.size_bytes > self._limit_bytes and len(self._entries) > 1:
            self._remove(*next(iter(self._entries)))

    def forget(self, log_id: LogId) -> None:
        """A log is removed."""
        for first in list(self._firsts.get(log_id, ())):
            self._remove(log_id, first)

    def _remove(self, log_id: LogId, first: int) -> None:
        batches = self._entries.pop((log_id, first), None)
        if batches is not None:
            self.size_bytes -= batches.size_bytes
            self._firsts[log_id].remove(first)
            if not self._firsts[log_id]:
                del self._firsts[log_id]
