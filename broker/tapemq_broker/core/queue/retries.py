"""Records that wait for their time."""

from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.trouble import Place, Trouble

_DUE_AT_ONCE = 2000


class _Waiting(NamedTuple):
    due_us: int
    number: int
    group: QueueGroup
    backlog: Backlog
    offset: int
    trouble: Trouble


class Retries:
    """In the order of their times; those that are of no use any more are found out then."""

    def __init__(self) -> None:
        self._heap: list[_Waiting] = []
        self._numbers = count()

    def wait(self, group: QueueGroup, backlog: Backlog, offset: int, trouble: Trouble) -> None:
        """The disk knows of its trouble: it may come back when its time has come."""
        trouble.place = Place.WAITING
        if trouble.not_before_us:
            waiting = _Waiting(
                trouble.not_before_us, next(self._numbers), group, backlog, offset, trouble
            )
            heappush(self._heap, waiting)
        else:
            _make_ready(backlog, offset, trouble)

    def due(self, now_us: int) -> dict[Backlog, QueueGroup]:
        """Make some of those ready whose time has come; where that was."""
        touched: dict[Backlog, QueueGroup] = {}
        for _ in range(_DUE_AT_ONCE):
            if not self._heap or self._heap[0].due_us > now_us:
                break
            _, _, group, backlog, offset, trouble = heappop(self._heap)
            known = backlog.ledger.troubles.get(offset)
            if known is trouble and trouble.place is Place.WAITING:
                _make_ready(backlog, offset, trouble)
                touched[backlog] = group
        return touched


def _make_ready(backlog: Backlog, offset: int, trouble: Trouble) -> None:
    trouble.place = Place.READY
    backlog.waiting -= 1
    backlog.supply.ready(offset)
