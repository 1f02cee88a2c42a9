"""What the broker itself waits for: that a log is on disk up to some offset."""

import asyncio
from typing import Final

from tapemq.batch import LogId


class LogGone(Exception):
    """The log that was waited for is removed."""


class Durability:
    """Futures by log, each done when its log is durable up to an offset."""

    def __init__(self) -> None:
        self._waiting: Final[dict[LogId, list[tuple[int, asyncio.Future[None]]]]] = {}

    def wait(self, log_id: LogId, offset: int) -> asyncio.Future[None]:
        """Done when the log is durable up to ``offset``, which it is not yet. Fails by LogGone."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(log_id, []).append((offset, future))
        return future

    def release(self, log_id: LogId, durable_offset: int) -> None:
        """A log is durable up to an offset."""
        waiting = self._waiting.pop(log_id, None)
        if waiting is None:
            return
        later = [entry for entry in waiting if entry[0] > durable_offset]
        if later:
            self._waiting[log_id] = later
        for offset, future in waiting:
            if offset <= durable_offset and not future.done():
                future.set_result(None)

    def drop(self, log_id: LogId) -> None:
        """A log is removed."""
        for _, future in self._waiting.pop(log_id, ()):
            if not future.done():
                future.set_exception(LogGone(f"{log_id} was removed"))
