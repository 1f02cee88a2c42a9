"""What the threads of one client share: its lock, its timers, and the rule for interrupts."""

import heapq
import logging
import threading
from collections import deque
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import Any, Final

from tapemq._clock import Clock
from tapemq.errors import Closed, Error

log = logging.getLogger("tapemq.client")

_TIMERS_UNSWEPT: Final = 64


class Timer:
    """Something to be called at a time."""

    __slots__ = ("args", "callback", "is_cancelled")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.callback = callback
        self.args = args
        self.is_cancelled = False

    def cancel(self) -> None:
        """Do not call, and hold nothing until the time comes, which may be in years."""
        self.is_cancelled = True
        self.callback, self.args = _nothing, ()


class Turn:
    """What is done under the lock, ``with shared.lock, shared.turn:``.

    At its end runs what is to be called soon. An interrupt in the middle (KeyboardInterrupt, or
    what a signal handler raises) may leave anything half done; the client then fails as a whole
    and says so, rather than going on with a record lost or sent twice. The lock is taken by a
    statement of its own because only a lock made in C cannot be interrupted between taking it and
    noting that it has to be given back.
    """

    def __init__(self, shared: "Shared") -> None:
        self._shared = shared
        self._depth = 0

    @property
    def is_under_way(self) -> bool:
        """Whoever holds the lock and finds it so was called by a signal handler meanwhile."""
        return self._depth > 0

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        is_interrupted = kind is not None and not issubclass(kind, Exception)
        try:
            if is_interrupted:
                self._shared.interrupt()
            else:
                self._run_soon()
        finally:
            self._depth -= 1
        if not self._depth and not is_interrupted:
            self._run_soon()  # what a signal handler has put off just now

    def _run_soon(self) -> None:
        try:
            self._shared.run_soon()
        except Exception:
            raise
        except BaseException:
            self._shared.interrupt()
            raise


class Shared:
    """See the module's text. Its methods are called under the lock.

    ``wake`` makes the reader's thread look at what is due.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.wake: Callable[[], None] = _nothing
        self.on_interrupt: Callable[[Error], None] = _ignore
        self.renew()

    def renew(self) -> None:
        """Begin anew, in a process that has just forked: nothing of the parent's is due here."""
        self.lock = threading.RLock()
        self.turn = Turn(self)
        self._soon: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._swept_at = _TIMERS_UNSWEPT
        self._numbers = count()

    def interrupt(self) -> None:
        """A call was interrupted in the middle."""
        log.error("a call was interrupted in the middle: the client is closed")
        self.on_interrupt(Closed("a call was interrupted in the middle: connect again"))

    # Timers, as an event loop has them

    def time(self) -> float:
        """Monotonic seconds."""
        return self.clock.monotonic()

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        """Call at the end of this turn."""
        self._soon.append((callback, args))

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Have the reader's thread call at a time."""
        timer = Timer(callback, args)
        if len(self._timers) >= self._swept_at:
            self._sweep()
        if not self._timers or when < self._timers[0][0]:
            self.wake()
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def _sweep(self) -> None:
        """Forget those that were cancelled: at most half of all, and a few, are kept."""
        self._timers = [one for one in self._timers if not one[2].is_cancelled]
        heapq.heapify(self._timers)
        self._swept_at = 2 * len(self._timers) + _TIMERS_UNSWEPT

    def call_later(self, delay_s: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Have the reader's thread call after a while."""
        return self.call_at(self.time() + delay_s, callback, *args)

    def run_soon(self) -> None:
        """The turn ends."""
        while self._soon:
            callback, args = self._soon.popleft()
            callback(*args)

    def run_due(self) -> None:
        """Time has passed."""
        now = self.time()
        while self._timers and (self._timers[0][0] <= now or self._timers[0][2].is_cancelled):
            timer = heapq.heappop(self._timers)[2]
            if not timer.is_cancelled:
                timer.callback(*timer.args)
        self.run_soon()

    def due_in_s(self) -> float | None:
        """How long the reader's thread may sleep; None: for ever."""
        return max(0.0, self._timers[0][0] - self.time()) if self._timers else None


def _nothing() -> None: ...


def _ignore(error: Error) -> None: ...
