"""Renews leases while a handler blocks the event loop."""

import logging
import math
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from tapemq.errors import Error
from tapemq.queues.side_connection import SideConnection, SideTarget
from tapemq.wire.errors import ProtocolError

log = logging.getLogger("tapemq.client")

_LOOKS_PER_LEASE: Final = 6
"""A loop that blocks is noticed after one to two looks. A lease is then at most half its time old
(see Leases.due), so a third of it may pass until the first sign of life."""

_TIMEOUT_S: Final = 1.0
"""The least time that a sign of life may take."""


class Watchdog:
    """A thread that looks whether the event loop answers, and else speaks for its session.

    ``call_in_loop`` runs something in the event loop; it may raise RuntimeError once that has
    ended. The thread begins with the first lease, and is a daemon: it never keeps a process alive.
    """

    def __init__(self, call_in_loop: Callable[[Callable[[], None]], object]) -> None:
        self._call_in_loop = call_in_loop
        self._target: SideTarget | None = None
        self._interval_s = math.inf
        self._closed = threading.Event()
        self._answered = threading.Event()
        self._side: SideConnection | None = None
        self._side_target: SideTarget | None = None
        self._thread: threading.Thread | None = None

    def watch(self, target: SideTarget | None) -> None:
        """This is the session now; None: there is none."""
        self._target = target

    def hold(self, within_s: float) -> None:
        """From now on the session needs a sign of life within this time."""
        self._interval_s = min(self._interval_s, within_s / _LOOKS_PER_LEASE)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tapemq-leases", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop, soon."""
        self._closed.set()

    def _run(self) -> None:
        asked = False
        while not self._closed.wait(self._interval_s):
            if asked and not self._answered.is_set():
                self._speak()
                continue
            self._hang_up()
            self._answered.clear()
            try:
                self._call_in_loop(self._answered.set)
            except RuntimeError:
                break  # the loop was closed
            asked = True
        self._hang_up()

    def _speak(self) -> None:
        target = self._target
        if target is None:
            return
        try:
            if self._side is None or self._side_target is not target:
                self._hang_up()
                log.info("the event loop is blocked: another thread keeps its leases")
                self._side = SideConnection(target, max(self._interval_s, _TIMEOUT_S))
                self._side_target = target
            self._side.ping()
        except (OSError, Error, ProtocolError) as error:
            log.warning("cannot keep the leases of a blocked event loop: %s", error)
            self._hang_up()

    def _hang_up(self) -> None:
        side, self._side = self._side, None
        if side is not None:
            with suppress(OSError):
                side.close()
