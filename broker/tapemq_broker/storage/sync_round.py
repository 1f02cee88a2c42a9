"""The files of one sync round, shared out among threads."""

from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final


class SyncRound:
    """Work for ``workers`` threads, each of which calls run().

    Each takes syncs until none is left, so a slow file holds up only one of them. The last one to
    finish calls ``done`` with the first failure or None.
    """

    def __init__(
        self,
        syncs: Iterable[Callable[[], None]],
        workers: int,
        done: Callable[[Exception | None], object],
    ) -> None:
        self._syncs: Final = deque(syncs)
        self._workers = workers
        self._done: Final = done
        self._error: Exception | None = None
        self._lock: Final = Lock()

    def run(self) -> None:
        """What each of the threads does."""
        error = self._sync_until_empty()
        with self._lock:
            self._error = self._error or error
            self._workers -= 1
            is_last = self._workers == 0
        if is_last:
            self._done(self._error)

    def _sync_until_empty(self) -> Exception | None:
        while True:
            try:
                sync = self._syncs.popleft()
            except IndexError:
                return None
            try:
                sync()
            except Exception as error:  # whatever it is, a sync that is not reported is worse
                self._syncs.clear()
                return error
