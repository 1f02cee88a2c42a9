"""Calls that are under way, which a client that is closed waits for, without asyncio."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tapemq.sync.promise import Promise
from tapemq.sync.shared import Shared


class Underway:
    """Each from its beginning to its end, however it ends; in any thread."""

    def __init__(self, shared: Shared) -> None:
        self._shared: Final = shared
        self._calls: Final[dict[Promise[None], int]] = {}  # in which thread each is

    @contextmanager
    def call(self) -> Iterator[None]:
        """The time of one call."""
        ended: Promise[None] = Promise()
        try:
            with self._shared.lock, self._shared.turn:
                self._calls[ended] = threading.get_ident()
            yield
        finally:
            with self._shared.lock, self._shared.turn:
                self._calls.pop(ended, None)
                ended.resolve(None)

    def drain(self, timeout: float) -> bool:
        """Whether those that are under way now have ended, within ``timeout`` s.

        One in this thread, which a signal handler has interrupted, cannot end before the handler.
        """
        until, thread = self._shared.time() + timeout, threading.get_ident()
        with self._shared.lock, self._shared.turn:
            calls = tuple(self._calls.items())
        others = [ended for ended, of_thread in calls if of_thread != thread]
        have_ended = all(ended.wait(until - self._shared.time()) for ended in others)
        return have_ended and len(others) == len(calls)
