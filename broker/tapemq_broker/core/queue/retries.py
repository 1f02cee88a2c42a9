"""Records that wait for their time."""

from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, NamedTuple

from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.trouble import Place, Trouble

_DUE_AT_ONCE = 2000
_SWEEP_AT_LEAST: Final = 2000


class _Waiting(NamedTuple):
    due_us: int
    number: int
    group: QueueGroup
    backlog: Backlog
    offset: int
    trouble: Trouble


class Retries:
    """In the order of their times; those that are of no use any more are found out then, or when
    there are many."""

    def __init__(self) -> None:
        self._heap: list[_Waiting] = []
        self._numbers = count()
        self._sweep_at = _SWEEP_AT_LEAST

    def __len__(self) -> int:
        """How many are kept, of use or not."""
        return len(self._heap)

    def wait(self, group: QueueGroup, backlog: Backlog, offset: int, trouble: Trouble) -> None:
        """The disk knows of its trouble: it may come back when its time has come."""
        trouble.place = Place.WAITING
        if trouble.not_before_us:
            waiting = _Waiting(
                trouble.not_before_us, next(self._numbers), group, backlog, offset, trouble
            )
            heappush(self._heap, waiting)
            self._sweep()
        else:
            _make_ready(backlog, offset, trouble)

    def _sweep(self) -> None:
        """Forget what was sought past, dropped or deleted: its time may be years from now."""
        if len(self._heap) >= self._sweep_at:
            self._heap = [waiting for waiting in self._heap if _is_of_use(waiting)]
            heapify(self._heap)
            self._sweep_at = max(_SWEEP_AT_LEAST, 2 * len(self._heap))

    def due(self, now_us: int) -> dict[Backlog, QueueGroup]:
        """Make some of those ready whose time has come; where that was."""
        touched: dict[Backlog, QueueGroup] = {}
        for _ in range(_DUE_AT_ONCE):
            if not self._heap or self._heap[0].due_us > now_us:
                break
            waiting = heappop(self._heap)
            if _is_of_use(waiting):
                _make_ready(waiting.backlog, waiting.offset, waiting.trouble)
                touched[waiting.backlog] = waiting.group
        return touched


def _is_of_use(waiting: _Waiting) -> bool:
    known = waiting.backlog.ledger.troubles.get(waiting.offset)
    return known is waiting.trouble and waiting.trouble.place is Place.WAITING


def _make_ready(backlog: Backlog, offset: int, trouble: Trouble) -> None:
    trouble.place = Place.READY
    backlog.waiting -= 1
    backlog.supply.ready(offset)
