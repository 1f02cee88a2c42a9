"""When a worker has to stop: the first signal asks it to, the second one ends it."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final

from tapemq.worker.exits import Exit

log = logging.getLogger("tapemq.worker")

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """``asked`` is set when the worker has to stop; made in the running event loop.

    Signals are caught beside the event loop: a handler may block it. If stopping takes longer than
    ``patience_s``, the process is ended. ``end_at_once``: done first when it is ended.
    """

    def __init__(self, patience_s: float, end_at_once: Callable[[], None] = lambda: None) -> None:
        self.asked = asyncio.Event()
        self._patience_s = patience_s
        self._end_at_once = end_at_once
        self._loop = asyncio.get_running_loop()
        self._signalled = False

    def catch_signals(self) -> None:
        """Let SIGTERM and SIGINT ask for the end."""
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)

    def watch_parent(self) -> None:
        """Stop when standard input ends: whoever has started this process is gone."""
        self._loop.add_reader(sys.stdin.fileno(), self._on_input)

    def _on_input(self) -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            self._loop.remove_reader(sys.stdin.fileno())
            self._ask("the process that started this one is gone")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signalled:
            self._end(128 + number)
        self._signalled = True
        self._loop.call_soon_threadsafe(
            self._ask, f"{signal.Signals(number).name}; a second one stops at once"
        )
        timer = threading.Timer(self._patience_s, self._too_long)
        timer.daemon = True
        timer.start()

    def _ask(self, why: str) -> None:
        log.info("stopping: %s", why)
        self.asked.set()

    def _too_long(self) -> None:
        log.error("stopping takes too long: something keeps the event loop; ending at once")
        self._end(Exit.FAILED)

    def _end(self, code: int) -> None:
        self._end_at_once()
        os._exit(code)
