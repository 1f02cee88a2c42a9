"""Answers that wait until something is on disk."""

from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from tapemq.batch import LogId
from tapemq_broker.core.effects import Request
from tapemq_broker.core.results import Result
from tapemq_broker.server.durable_queue import DurableQueue

_SWEEP_AT_LEAST: Final = 1024


class _Waiting:
    """One answer. ``answered`` when its deadline came first."""

    __slots__ = ("answered", "request", "result")

    def __init__(self, request: Request, result: Result) -> None:
        self.request = request
        self.result = result
        self.answered = False


class _Deadline(NamedTuple):
    at: float
    order: int
    waiting: _Waiting


class Receipts:
    """The single place where durable answers are released, or given up at their deadlines."""

    def __init__(self) -> None:
        self.waiting: Final[DurableQueue[_Waiting]] = DurableQueue()
        self._deadlines: list[_Deadline] = []
        self._order = 0
        self._sweep_at = _SWEEP_AT_LEAST

    @property
    def empty(self) -> bool:
        """Nobody waits."""
        return self.waiting.empty

    def wait(self, log: LogId, offset: int | None, request: Request, result: Result) -> None:
        """Hold an answer back until the log is durable up to ``offset`` (None: not known yet)."""
        waiting = _Waiting(request, result)
        self.waiting.wait(log, offset, waiting)
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
        released = _unanswered(self.waiting.release(log, durable_offset))
        return [(waiting.request, waiting.result) for waiting in released]

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
        return [waiting.request for waiting in _unanswered(self.waiting.drop(log))]


def _unanswered(waiting: list[_Waiting]) -> list[_Waiting]:
    """Those whose deadlines did not come first; from now on they count as answered."""
    unanswered = [one for one in waiting if not one.answered]
    for one in unanswered:
        one.answered = True
    return unanswered
