"""A real server, on a disk in memory, in the test's own event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tapemq_broker.config import Settings
from tapemq_broker.server.clock import Clock, RealClock, RealRandom
from tapemq_broker.server.server import Server
from tapemq_broker.server.world import World
from tapemq_broker.storage.disk import Disk
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.raw_client import RawClient


class Fatal(Exception):
    """The engine asked for the end of the process."""


def fatal(reason: str) -> None:
    raise Fatal(reason)


def memory_world(disk: Disk | None = None, fatal: Callable[[str], None] = fatal) -> World:
    """A world of the running loop: real time, and bytes in memory."""
    post = asyncio.get_running_loop().call_soon
    return World(disk or MemoryDisk(post=post), RealClock(), RealRandom(), fatal)


@asynccontextmanager
async def running_server(
    disk: Disk | None = None,
    *,
    clock: Clock | None = None,
    recovery_threads: int = 1,
    **settings: Any,
) -> AsyncIterator[Server]:
    """A server that listens on a free port, and is stopped cleanly at the end. Raises Fatal there
    if one of its tasks has failed, which nobody else hears."""
    failed_tasks: list[str] = []

    def noted_fatal(reason: str) -> None:
        if "a background task failed" in reason:
            failed_tasks.append(reason)
        fatal(reason)

    world = memory_world(disk, noted_fatal)._replace(recovery_threads=recovery_threads)
    server = Server(Settings(**settings), world._replace(clock=clock or world.clock))
    await server.start("127.0.0.1", 0)
    try:
        yield server
    finally:
        RawClient.close_all()
        if not server.stopped:
            await server.stop(grace_s=1.0)
    if failed_tasks:
        raise Fatal(failed_tasks[0])
