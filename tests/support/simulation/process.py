"""A simulated operating system process: what belongs to it stops when it dies."""

from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context


class ProcessExit(BaseException):
    """Unwinds the stack of a process that has just died; nobody is to catch it."""


class Process:
    """Callbacks, timers and tasks made within ``context`` run only while this is alive.

    A real process that dies runs nothing more, not even a ``finally``. Here the stack still has
    to unwind, so whatever a process can change (disk, network) asks ``alive`` first.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.exit_reason = ""
        self.context: Context = copy_context()
        self.context.run(_PROCESS.set, self)
        self._at_exit: list[Callable[[], None]] = []

    def at_exit(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called when the process dies: what the kernel cleans up."""
        self._at_exit.append(callback)

    def exit(self, reason: str) -> None:
        """Die. Once."""
        if not self.alive:
            return
        self.alive = False
        self.exit_reason = reason
        for callback in self._at_exit:
            callback()


_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


def process_of(context: Context) -> Process | None:
    """The process that callbacks in ``context`` belong to; None for the world itself."""
    return context.get(_PROCESS)


def current_process() -> Process | None:
    """The process that runs now."""
    return _PROCESS.get()
