"""The seams between the engine and the world, in one place."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

from tapemq_broker.server.clock import Clock, Random, RealClock, RealRandom
from tapemq_broker.storage.disk import Disk
from tapemq_broker.storage.files import OsDisk
from tapemq_broker.storage.unsynced_disk import UnsyncedDisk

EXIT_STORAGE_FAILED = 70
"""Exit status after a failed sync or write (EX_SOFTWARE of sysexits.h)."""


class World(NamedTuple):
    """What an engine touches. ``fatal(reason)`` ends it at once: nobody gets an answer after it."""

    disk: Disk
    clock: Clock
    random: Random
    fatal: Callable[[str], None]

    @classmethod
    def real(cls, data_dir: Path, *, sync_threads: int = 4, sync: bool = True) -> "World":
        """The world of a production broker; to be called with its event loop running.

        Without ``sync``, a power cut loses records that were acknowledged as durable.
        """
        post = asyncio.get_running_loop().call_soon_threadsafe
        kind = OsDisk if sync else UnsyncedDisk
        disk = kind(str(data_dir), post=post, sync_threads=sync_threads)
        return cls(disk, RealClock(), RealRandom(), exit_now)


def exit_now(reason: str) -> NoReturn:
    """End the process without any clean-up: what is not synced must not be acknowledged."""
    os.write(2, f"tapemq: fatal: {reason}\n".encode())
    os._exit(EXIT_STORAGE_FAILED)
