"""The seams between the engine and the world, in one place."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, NoReturn

from tapemq_broker.server.clock import Clock, Random, RealClock, RealRandom
from tapemq_broker.storage.disk import Disk
from tapemq_broker.storage.files import OsDisk
from tapemq_broker.storage.schedules.index import ScheduleIndex
from tapemq_broker.storage.schedules.memory_index import MemoryScheduleIndex
from tapemq_broker.storage.schedules.sqlite_index import SqliteScheduleIndex
from tapemq_broker.storage.segment_cache import FILES_MAX
from tapemq_broker.storage.threads import MakeThreads
from tapemq_broker.storage.unsynced_disk import UnsyncedDisk

SCHEDULE_INDEX = "schedules.index"
"""A file in the data directory; it can be deleted while no broker runs."""

EXIT_STORAGE_FAILED = 70
"""Exit status after a failed sync or write (EX_SOFTWARE of sysexits.h)."""


class World(NamedTuple):
    """What an engine touches. ``fatal(reason)`` ends it at once: nobody gets an answer after it.

    ``schedule_index()`` opens what can be made again from the schedule logs. So many segments as
    ``segments_open_max`` stay open that nobody uses. ``recovery_threads`` open partitions at the
    start.
    """

    disk: Disk
    clock: Clock
    random: Random
    fatal: Callable[[str], None]
    schedule_index: Callable[[], ScheduleIndex] = MemoryScheduleIndex
    segments_open_max: int = FILES_MAX
    recovery_threads: int = 1
    make_threads: MakeThreads = ThreadPoolExecutor

    @classmethod
    def real(
        cls,
        data_dir: Path,
        *,
        sync_threads: int = 4,
        sync: bool = True,
        segments_open_max: int = FILES_MAX,
        make_threads: MakeThreads = ThreadPoolExecutor,
    ) -> "World":
        """The world of a production broker; to be called with its event loop running.

        Without ``sync``, a power cut loses records that were acknowledged as durable.
        """
        post = asyncio.get_running_loop().call_soon_threadsafe
        kind = OsDisk if sync else UnsyncedDisk
        disk = kind(str(data_dir), post=post, sync_threads=sync_threads, make_threads=make_threads)
        index = partial(SqliteScheduleIndex, data_dir / SCHEDULE_INDEX)
        return cls(
            disk,
            RealClock(),
            RealRandom(),
            exit_now,
            index,
            segments_open_max,
            sync_threads,
            make_threads,
        )


def exit_now(reason: str) -> NoReturn:
    """End the process without any clean-up: what is not synced must not be acknowledged."""
    os.write(2, f"tapemq: fatal: {reason}\n".encode())
    os._exit(EXIT_STORAGE_FAILED)
