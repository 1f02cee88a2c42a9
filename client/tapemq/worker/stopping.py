"""When a worker has to stop: the first signal asks it to, the second one ends it."""

import asyncio
import logging
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from tapemq.worker.exits import Exit

log = logging.getLogger("tapemq.worker")

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_WAIT_S: Final = 3600.0
"""So long at a time: the system counts milliseconds in 31 bits."""

_BY_DEFAULT: Final[dict[signal.Signals, Any]] = {
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
}


class Stopping:
    """``asked`` is set when the worker has to stop; made in the running event loop.

    If stopping takes longer than ``patience_s``, the process is ended. ``end_at_once``: done first
    when it is ended. ``supervised``: this is a process of a Supervisor, which is gone when standard
    input ends, and which alone says that it has to end at once: it kills it.
    """

    def __init__(
        self,
        patience_s: float,
        end_at_once: Callable[[], None] = lambda: None,
        *,
        supervised: bool = False,
    ) -> None:
        self.asked = asyncio.Event()
        self._patience_s = patience_s
        self._end_at_once = end_at_once
        self._supervised = supervised
        self._loop = asyncio.get_running_loop()
        self._signalled: socket.socket | None = None
        self._before: dict[signal.Signals, Any] = {}

    def catch_signals(self) -> None:
        """Let SIGTERM and SIGINT ask for the end.

        They are seen by a thread: a handler may keep the event loop, and the interpreter calls
        functions on signals only when the main thread comes back from what it has called.
        """
        signals, self._signalled = socket.socketpair()
        self._signalled.setblocking(False)
        signal.set_wakeup_fd(self._signalled.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, lambda number, frame: None)
        threading.Thread(
            target=self._watch, args=(signals,), name="tapemq-signals", daemon=True
        ).start()
        _catching.add(self)

    def close(self) -> None:
        """Catch no more; signals do again what they did before."""
        _catching.discard(self)
        if self._signalled is not None:
            signal.set_wakeup_fd(-1)
            self._signalled.close()
        while self._before:
            signal.signal(*self._before.popitem())

    def after_fork(self) -> None:
        """This process is a child that a handler has forked: its signals are for itself.

        It has inherited the other end of what the parent's thread reads, and a child that ignores
        SIGTERM is one that multiprocessing cannot end.
        """
        signal.set_wakeup_fd(-1)
        if self._signalled is not None:
            self._signalled.close()  # else the parent's thread would not see that the parent did
        for number, handler in _BY_DEFAULT.items():
            signal.signal(number, handler)

    def _watch(self, signals: socket.socket) -> None:
        with signals:
            why = self._reason(signals)
            if why is None:
                return
            with suppress(RuntimeError):  # the event loop has ended just now
                self._loop.call_soon_threadsafe(self._ask, why)
            self._wait_for_the_end(signals)

    def _reason(self, signals: socket.socket) -> str | None:
        """Wait for a reason to stop; None once nobody wants to know."""
        poller = select.poll()
        poller.register(signals, select.POLLIN)
        if self._supervised:
            poller.register(sys.stdin, select.POLLIN)
        while True:
            for file, _ in poller.poll():
                if file != signals.fileno():
                    if not os.read(file, 1024):
                        return "the process that started this one is gone"
                elif not (data := signals.recv(1)):
                    return None
                elif data[0] in _SIGNALS:
                    name = signal.Signals(data[0]).name
                    return name if self._supervised else f"{name}; a second one stops at once"

    def _wait_for_the_end(self, signals: socket.socket) -> None:
        until = self._loop.time() + self._patience_s
        while (left_s := until - self._loop.time()) > 0:
            signals.settimeout(min(left_s, _WAIT_S))
            with suppress(TimeoutError):
                data = signals.recv(1)
                if not data:
                    return
                # A manager of services may signal all processes, as the supervisor does.
                if data[0] in _SIGNALS and not self._supervised:
                    self._end(128 + data[0])
                    return
        log.error("stopping takes too long: something keeps the event loop; ending at once")
        self._end(Exit.FAILED)

    def _ask(self, why: str) -> None:
        log.info("stopping: %s", why)
        self.asked.set()

    def _end(self, code: int) -> None:
        self._end_at_once()
        os._exit(code)


_catching: Final[set[Stopping]] = set()
_masks: Final = threading.local()


def _before_fork() -> None:
    # Until the child has let go of them, a signal for it would be one for its parent.
    if _catching:
        _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _after_fork_in_child() -> None:
    while _catching:
        _catching.pop().after_fork()
    _after_fork()


def _after_fork() -> None:
    before = vars(_masks).pop("before", None)
    if before is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
)
