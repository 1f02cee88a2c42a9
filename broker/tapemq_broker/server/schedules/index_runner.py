"""The index in a thread of its own: the event loop never waits for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from tapemq_broker.storage.schedules.index import ScheduleIndex
from tapemq_broker.storage.threads import MakeThreads

Answer = TypeVar("Answer")


class IndexRunner:
    """Calls of the index, one after the other.

    Whoever gets an answer acts on it before the next call begins, unless they wait for something
    else first. So an answer and what is kept in memory of later entries are never apart.
    """

    def __init__(
        self,
        open_index: Callable[[], ScheduleIndex],
        make_threads: MakeThreads = ThreadPoolExecutor,
    ) -> None:
        self._open: Final = open_index
        self._index: ScheduleIndex | None = None
        self._thread: Final = make_threads(1, "schedule-index")
        self._turn: Final = asyncio.Lock()
        self._is_closed = False

    async def run(self, call: Callable[[ScheduleIndex], Answer]) -> Answer:
        """Call with the index. Raises what the index raises."""
        async with self._turn:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._call, call)

    def _call(self, call: Callable[[ScheduleIndex], Answer]) -> Answer:
        if self._index is None:
            self._index = self._open()
        return call(self._index)

    async def close(self) -> None:
        """Let go of the index."""
        if self._is_closed:
            return
        self._is_closed = True
        async with self._turn:
            # Behind what the thread may still be at for somebody who was cancelled: opening it.
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        if self._index is not None:
            self._index.close()
