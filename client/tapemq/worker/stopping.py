"""When a worker has to stop: the first signal asks it to, the second one ends it."""

import asyncio
import logging
import os
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
_BY_DEFAULT: Final = {
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
}


class Stopping:
    """``asked`` is set when the worker has to stop; made in the running event loop.

    If stopping takes longer than ``patience_s``, the process is ended. ``end_at_once``: done first
    when it is ended.
    """

    def __init__(self, patience_s: float, end_at_once: Callable[[], None] = lambda: None) -> None:
        self.asked = asyncio.Event()
        self._patience_s = patience_s
        self._end_at_once = end_at_once
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

    def watch_parent(self) -> None:
        """Stop when standard input ends: whoever has started this process is gone."""
        self._loop.add_reader(sys.stdin.fileno(), self._on_input)

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
        for number, handler in _BY_DEFAULT.items():
            signal.signal(number, handler)

    def _on_input(self) -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            self._loop.remove_reader(sys.stdin.fileno())
            self._ask("the process that started this one is gone")

    def _watch(self, signals: socket.socket) -> None:
        with signals:
            first = _next_signal(signals)
            if first is None:
                return
            with suppress(RuntimeError):  # the event loop has ended just now
                why = f"{first.name}; a second one stops at once"
                self._loop.call_soon_threadsafe(self._ask, why)
            signals.settimeout(self._patience_s)
            try:
                second = _next_signal(signals)
            except TimeoutError:
                log.error("stopping takes too long: something keeps the event loop; ending at once")
                self._end(Exit.FAILED)
            else:
                if second is not None:
                    self._end(128 + second)

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


def _next_signal(signals: socket.socket) -> signal.Signals | None:
    """Wait for one of those that mean the end; None once nobody catches any."""
    while data := signals.recv(1):
        if data[0] in _SIGNALS:
            return signal.Signals(data[0])
    return None
