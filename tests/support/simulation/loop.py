"""An event loop on virtual time: time jumps to whatever happens next, in an order set by a seed."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple

from tests.support.simulation.process import Process, ProcessExit, process_of

if TYPE_CHECKING:
    from tests.support.simulation.network import SimNetwork, SimServer
    from tests.support.simulation.transport import SimTransport

_Ts = TypeVarTuple("_Ts")
_T = TypeVar("_T")

START_S: Final = 1000.0
"""Virtual time at the start: not 0, which would hide mistakes."""
STEPS_MAX: Final = 2_000_000
ROUND_S: Final = 20e-6
"""Most virtual time that one round of callbacks takes, where the processor has little to do."""
_HANDOFF_S: Final = 300e-6
"""Most virtual time that a thread takes to run and report back."""


class SimulationError(Exception):
    """The simulated program went wrong in a way that no caller of it could see."""


class _Handle:
    """Like asyncio's, but small: a run makes thousands."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "process")

    def __init__(self, callback: Callable[..., object], args: Any, context: Context) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.process = process_of(context)
        self.is_cancelled = False

    def __repr__(self) -> str:
        return f"{self.callback!r}{self.args!r}"

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled


class SimLoop(asyncio.BaseEventLoop):
    """Runs callbacks as asyncio does: in the order of call_soon(), a round at a time.

    What the outside world may reorder is reordered: completions of disk, network and threads
    (``call_io``) that become due in the same round come in a random order, except that those of
    one source keep theirs. A round takes ``round_s`` at most; the longer, the more news comes
    between rounds that follow at once, as those of a task that yields. An exception in a callback,
    more than ``steps_max`` callbacks and a world in which nothing is left to happen end the run
    with SimulationError.
    """

    network: "SimNetwork"
    _stopping: bool  # BaseEventLoop's

    def __init__(
        self, random: Random, *, steps_max: int = STEPS_MAX, round_s: float = ROUND_S
    ) -> None:
        super().__init__()
        self.set_debug(False)
        self.random = random
        self.steps = 0
        self.reordered = 0
        """How often news came in another order than that in which it happened."""
        self.failures: list[str] = []
        self._steps_max = steps_max
        self._round_s = round_s
        self._now_s = START_S
        self._next_up: deque[_Handle] = deque()
        self._timers: list[tuple[float, int, _Handle]] = []
        self._outside: list[tuple[float, int, object, _Handle]] = []
        self._paused: dict[Process, list[_Handle]] = {}
        self._numbers = count()

    def time(self) -> float:
        """Virtual seconds."""
        return self._now_s

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Handle:
        """Run ``callback`` in the next round."""
        handle = _Handle(callback, args, copy_context() if context is None else context)
        self._next_up.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> _Handle:
        """Run ``callback`` at a time."""
        timer = _Handle(callback, args, copy_context() if context is None else context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> _Handle:
        """Run ``callback`` after a time."""
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_io(
        self,
        delay_s: float,
        source: object,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> _Handle:
        """Run ``callback`` after ``delay_s``, as news from the outside world.

        Ask for one source's news in the order of their times.
        """
        handle = _Handle(callback, args, copy_context() if context is None else context)
        when = self._now_s + delay_s
        heapq.heappush(self._outside, (when, next(self._numbers), source, handle))
        return handle

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, _T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[_T]:
        """Make a task, which belongs to the process of its context."""
        if self.is_closed():
            return self._stillborn(coro)
        context = context if context is not None else copy_context()
        task = super().create_task(coro, name=name, context=context)
        process = process_of(context)
        if process is not None:
            process.started(task)
        return task

    def _stillborn(self, coro: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """What a finally block gets that runs when everything is over."""
        coro.close()
        future: Any = self.create_future()
        future.cancel()
        task: asyncio.Task[_T] = future
        return task

    def run_in_executor(
        self, executor: object, func: Callable[[*_Ts], _T], *args: *_Ts
    ) -> asyncio.Future[_T]:
        """Call ``func`` some time later: no thread, but nobody can tell."""
        future: asyncio.Future[_T] = self.create_future()
        delay_s = self.random.random() * _HANDOFF_S
        self.call_io(delay_s, future, self._execute, future, func, args)
        return future

    def _execute(self, future: asyncio.Future[_T], func: Callable[..., _T], args: Any) -> None:
        if future.cancelled():
            return
        try:
            result = func(*args)
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str,
        port: int,
        **options: Any,
    ) -> tuple["SimTransport", asyncio.BaseProtocol]:
        """Connect to a listening port of the simulated network."""
        return await self.network.connect(protocol_factory, port, **options)

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str,
        port: int,
        **options: Any,
    ) -> "SimServer":
        """Listen on a port of the simulated network."""
        return self.network.listen(protocol_factory, host, port, **options)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Note a failure that nobody else will ever see; the run ends with it."""
        error = context.get("exception")
        if not isinstance(error, ProcessExit):
            about = {key: value for key, value in context.items() if key != "message"}
            self.failures.append(f"{context.get('message')}: {about}")

    def pause(self, process: Process, duration_s: float) -> None:
        """Let a process stand still, as when it or its machine is suspended."""
        if process.alive and not process.paused:
            process.paused = True
            process.runs = False
            self._paused[process] = []
            self.call_io(duration_s, process, self._resume, process, context=self.network.context)

    def _resume(self, process: Process) -> None:
        process.paused = False
        process.runs = process.alive
        self._next_up.extend(self._paused.pop(process))

    def _run_once(self) -> None:
        queue, timers, outside = self._next_up, self._timers, self._outside
        if queue or self._stopping:
            self._now_s += self.random.random() * self._round_s
        else:
            self._jump()
        now_s = self._now_s
        if outside and outside[0][0] <= now_s:
            self._take_news()
        while timers and timers[0][0] <= now_s:
            queue.append(heapq.heappop(timers)[2])
        for _ in range(len(queue)):
            handle = queue.popleft()
            process = handle.process
            if handle.is_cancelled:
                continue
            if process is None or process.runs:
                self._run(handle)
            elif process.alive:
                self._paused[process].append(handle)
        if self.steps > self._steps_max:
            raise SimulationError(f"{self.steps} callbacks: an endless loop at {handle!r}?")

    def _run(self, handle: _Handle) -> None:
        self.steps += 1
        try:
            handle.context.run(handle.callback, *handle.args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.call_exception_handler({"message": f"{handle!r} failed", "exception": error})
        if self.failures:
            raise SimulationError(f"at {self._now_s:.6f} s: {self.failures[0]}")

    def _jump(self) -> None:
        """Move time to the next thing that will happen."""
        timers, outside = self._timers, self._outside
        while timers and _is_void(timers[0][2]):
            heapq.heappop(timers)
        if timers and (not outside or timers[0][0] < outside[0][0]):
            next_s = timers[0][0]
        elif outside:
            next_s = outside[0][0]
        else:
            raise SimulationError(f"at {self._now_s:.6f} s: nothing is left that could happen")
        if next_s > self._now_s:
            self._now_s = next_s

    def _take_news(self) -> None:
        outside, now_s = self._outside, self._now_s
        first = heapq.heappop(outside)
        if not outside or outside[0][0] > now_s:
            self._next_up.append(first[3])
            return
        due = [first]
        while outside and outside[0][0] <= now_s:
            due.append(heapq.heappop(outside))
        places: dict[int, float] = {}
        for item in due:
            places.setdefault(id(item[2]), self.random.random())
        ordered = sorted(due, key=lambda item: places[id(item[2])])
        self.reordered += ordered != due
        self._next_up.extend([item[3] for item in ordered])


def _is_void(handle: _Handle) -> bool:
    return handle.is_cancelled or (handle.process is not None and not handle.process.alive)
