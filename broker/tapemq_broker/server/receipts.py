"""Answers, and what leads to them, that wait until something is on disk."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from tapemq.batch import LogId
from tapemq_broker.core.effects import Effects, Request, WhenDurable
from tapemq_broker.core.results import Result
from tapemq_broker.server.durable_queue import DurableQueue
from tapemq_broker.server.unanswered import Unanswered

_SWEEP_AT_LEAST: Final = 1024


class _Promise:
    """An answer to come. ``answered`` when its deadline came first."""

    __slots__ = ("answered", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.answered = False


class _Waiting(_Promise):
    """One answer."""

    __slots__ = ("result",)

    def __init__(self, request: Request, result: Result) -> None:
        super().__init__(request)
        self.result = result


class _Call(NamedTuple):
    """Work that goes on. ``promise``: who is answered at its end, if anybody."""

    effect: WhenDurable
    promise: _Promise | None


class _Deadline(NamedTuple):
    at: float
    order: int
    promise: _Promise


class Receipts:
    """The single place where durable answers are released, or given up at their deadlines.

    Those that are given up wait on without their requests, and count.
    """

    def __init__(self, unanswered: Unanswered) -> None:
        self._unanswered: Final = unanswered
        self._waiting: Final[DurableQueue[_Waiting]] = DurableQueue()
        self._calls: Final[DurableQueue[_Call]] = DurableQueue()
        self._deadlines: list[_Deadline] = []
        self._order = 0
        self._sweep_at = _SWEEP_AT_LEAST

    @property
    def empty(self) -> bool:
        """Nobody waits."""
        return self._waiting.empty and self._calls.empty

    def wait(self, log: LogId, offset: int | None, request: Request, result: Result) -> None:
        """Hold an answer back until the log is durable up to ``offset`` (None: not known yet)."""
        waiting = _Waiting(request, result)
        self._waiting.wait(log, offset, waiting)
        self._unanswered.add(request.session)
        self._keep_deadline(waiting)

    def call(self, offset: int | None, effect: WhenDurable) -> None:
        """Let work go on when its log is durable up to ``offset`` (None: not known yet)."""
        promise = _Promise(effect.request) if effect.request is not None else None
        self._calls.wait(effect.log, offset, _Call(effect, promise))
        if promise is not None:
            self._unanswered.add(promise.request.session)
            self._keep_deadline(promise)

    def place(self, topic_id: int, end_of: Callable[[LogId], int]) -> set[LogId]:
        """Everything of a topic is written, up to these offsets; the logs somebody waits for."""
        return self._waiting.place(topic_id, end_of) | self._calls.place(topic_id, end_of)

    def _keep_deadline(self, promise: _Promise) -> None:
        deadline = promise.request.deadline
        if deadline is not None:
            self._order += 1
            heappush(self._deadlines, _Deadline(deadline, self._order, promise))
            self._sweep()

    def _sweep(self) -> None:
        """Forget deadlines that were kept: most answers come long before, and clients choose."""
        if len(self._deadlines) >= self._sweep_at:
            self._deadlines = [entry for entry in self._deadlines if not entry.promise.answered]
            heapify(self._deadlines)
            self._sweep_at = max(_SWEEP_AT_LEAST, 2 * len(self._deadlines))

    def release(self, log: LogId, durable_offset: int) -> list[tuple[Request, Result]]:
        """The answers that may leave now, in order."""
        released = self._waiting.release(log, durable_offset)
        return [(one.request, one.result) for one in released if self._end(one)]

    def release_calls(self, log: LogId, durable_offset: int) -> list[Callable[[], Effects]]:
        """What goes on now, in order."""
        released = self._calls.release(log, durable_offset)
        return [self._next_step(call) for call in released]

    def _next_step(self, call: _Call) -> Callable[[], Effects]:
        effect, promise = call
        is_asked = promise is None or self._end(promise)
        return effect.then if is_asked or effect.unasked is None else effect.unasked

    def _end(self, promise: _Promise) -> bool:
        """It waits no longer: whether a deadline did not come first."""
        self._unanswered.remove(promise.request.session)
        return _take(promise)

    def expired(self, now: float) -> list[Request]:
        """Requests whose deadline has come first; their answers will not leave."""
        late: list[Request] = []
        while self._deadlines and self._deadlines[0].at <= now:
            promise = heappop(self._deadlines).promise
            if _take(promise):
                late.append(promise.request)
        return late

    def drop(self, log: LogId) -> list[Request]:
        """A log is removed: who still waited for it."""
        promises: list[_Promise] = [*self._waiting.drop(log)]
        promises += [call.promise for call in self._calls.drop(log) if call.promise is not None]
        return [promise.request for promise in promises if self._end(promise)]


def _take(promise: _Promise) -> bool:
    """Whether a deadline did not come first; from now on it counts as answered."""
    is_first = not promise.answered
    promise.answered = True
    return is_first
