"""Calls that are under way, which a client that is closed waits for, without asyncio."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tapemq.sync.promise import Promise
from tapemq.sync.shared import Shared


class Underway:
    """Each from its beginning to its end, however it ends; in any thread."""

    def __init__(self, shared: Shared) -> None:
        self._shared: Final = shared
        self._calls: Final[set[Promise[None]]] = set()

    @contextmanager
    def call(self) -> Iterator[None]:
        """The time of one call."""
        ended: Promise[None] = Promise()
        try:
            with self._shared.lock, self._shared.turn:
                self._calls.add(ended)
            yield
        finally:
            with self._shared.lock, self._shared.turn:
                self._calls.discard(ended)
                ended.resolve(None)

    def drain(self, timeout: float) -> bool:
        """Whether those that are under way now have ended, within ``timeout`` s."""
        until = self._shared.time() + timeout
        with self._shared.lock, self._shared.turn:
            calls = tuple(self._calls)
        return all(ended.wait(until - self._shared.time()) for ended in calls)
