"""Reads that have to wait for the disk: in threads, and few of them in memory at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from tapemq_broker.storage.threads import MakeThreads

T = TypeVar("T")


class DiskReads:
    """Threads of their own, so that making topics and looking into batches never waits for slow
    reads; more of them would only stand in line at the disk.

    Whoever reads has a turn (``async with reads.turns``) until nothing of it is kept. There are
    twice as many as threads, which would else fill the memory as long as the event loop is busy
    with something else. What was wanted may be so no more when its turn comes.
    """

    def __init__(self, threads: int, make_threads: MakeThreads = ThreadPoolExecutor) -> None:
        self.turns: Final = asyncio.Semaphore(2 * threads)
        self._loop: Final = asyncio.get_running_loop()
        self._threads: Final = make_threads(threads, "read")

    async def run(self, read: Callable[[], T]) -> T:
        """Call it in a thread."""
        return await self._loop.run_in_executor(self._threads, read)
