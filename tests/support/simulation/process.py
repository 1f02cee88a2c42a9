"""A simulated operating system process: what belongs to it stops when it dies."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from typing import Any
from weakref import WeakSet


class ProcessExit(BaseException):
    """Unwinds the stack of a process that has just died; nobody is to catch it."""


class Process:
    """Callbacks, timers and tasks made within ``context`` run only while this is alive.

    While it is ``paused`` they wait.

    A real process that dies runs nothing more, not even a ``finally``. Here the stack still has
    to unwind, so whatever a process can change (disk, network) asks ``alive`` first.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.runs = True
        """Neither dead nor paused."""
        self.paused = False
        self.exit_reason = ""
        self._context: Context = copy_context()
        self._context.run(_PROCESS.set, self)
        self._at_exit: list[Callable[[], None]] = []
        self._tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        self._buried: list[asyncio.Task[Any]] = []

    @property
    def context(self) -> Context:
        """A context of this process's own, to run or to start something in."""
        return self._context.copy()

    def at_exit(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called when the process dies: what the kernel cleans up."""
        self._at_exit.append(callback)

    def started(self, task: asyncio.Task[Any]) -> None:
        """A task of this process was made."""
        self._tasks.add(task)

    def exit(self, reason: str) -> None:
        """Die. Once."""
        if not self.alive:
            return
        self.alive = self.runs = False
        self.exit_reason = reason
        # Kept until bury(): collected as garbage, they would run their finally blocks.
        self._buried = [task for task in self._tasks if not task.done()]
        for callback in self._at_exit:
            callback()

    def bury(self) -> None:
        """Let go of the tasks that will never end."""
        for task in self._buried:
            vars_of: Any = task
            vars_of._log_destroy_pending = False
            coroutine: Any = task.get_coro()
            with suppress(BaseException):
                coroutine.close()
        self._buried.clear()


_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


def process_of(context: Context) -> Process | None:
    """The process that callbacks in ``context`` belong to; None for the world itself."""
    return context.get(_PROCESS)


def current_process() -> Process | None:
    """The process that runs now."""
    return _PROCESS.get()
