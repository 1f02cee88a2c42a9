"""Answers that wait until something is on disk."""

from collections import deque
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from tapemq.batch import LogId
from tapemq_broker.core.effects import Request
from tapemq_broker.core.results import Result

_SWEEP_AT_LEAST: Final = 1024


class _Waiting:
    """One answer. ``answered`` when its deadline came first."""

    __slots__ = ("answered", "offset", "request", "result")

    def __init__(self, offset: int, request: Request, result: Result) -> None:
        self.offset = offset
        self.request = request
        self.result = result
        self.answered = False


class _Deadline(NamedTuple):
    at: float
    order: int
    waiting: _Waiting


class Receipts:
    """Per log, in the order of offsets: the single place where durable answers are released."""

    def __init__(self) -> None:
        self._by_log: dict[LogId, deque[_Waiting]] = {}
        self._deadlines: list[_Deadline] = []
        self._order = 0
        self._sweep_at = _SWEEP_AT_LEAST

    @property
    def empty(self) -> bool:
        """Nobody waits."""
        return not self._by_log

    def wait(self, log: LogId, offset: int, request: Request, result: Result) -> None:
        """Hold an answer back until the log is durable up to ``offset``."""
        waiting = _Waiting(offset, request, result)
        queue = self._by_log.setdefault(log, deque())
        # Appends come in order; only the answer to a retry belongs further to the front.
        behind: list[_Waiting] = []
        while queue and queue[-1].offset > offset:
            behind.append(queue.pop())
        queue.append(waiting)
        queue.extend(reversed(behind))
        if request.deadline is not None:
            self._order += 1
            heappush(self._deadlines, _Deadline(request.deadline, self._order, waiting))
            self._sweep()

    def _sweep(self) -> None:
        """Forget deadlines that were kept: most answers come long before, and clients choose."""
        if len(self._deadlines) >= self._sweep_at:
            self._deadlines = [entry for entry in self._deadlines if not entry.waiting.answered]
            heapify(self._deadlines)
            self._sweep_at = max(_SWEEP_AT_LEAST, 2 * len(self._deadlines))

    def release(self, log: LogId, durable_offset: int) -> list[tuple[Request, Result]]:
        """The answers that may leave now, in order."""
        queue = self._by_log.get(log)
        released: list[tuple[Request, Result]] = []
        if queue is None:
            return released
        while queue and queue[0].offset <= durable_offset:
            waiting = queue.popleft()
            if not waiting.answered:
                waiting.answered = True
                released.append((waiting.request, waiting.result))
        if not queue:
            del self._by_log[log]
        return released

    def expired(self, now: float) -> list[Request]:
        """Requests whose deadline has come first; their answers will not leave."""
        late: list[Request] = []
        while self._deadlines and self._deadlines[0].at <= now:
            waiting = heappop(self._deadlines).waiting
            if not waiting.answered:
                waiting.answered = True
                late.append(waiting.request)
        return late

    def drop(self, log: LogId) -> list[Request]:
        """A log is removed: who still waited for it."""
        dropped = [waiting for waiting in self._by_log.pop(log, ()) if not waiting.answered]
        for waiting in dropped:
            waiting.answered = True
        return [waiting.request for waiting in dropped]
