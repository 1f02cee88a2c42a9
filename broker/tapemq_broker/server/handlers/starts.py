"""Where to start: what only the disk knows is looked up before the command."""

import asyncio
from collections.abc import Sequence

from tapemq.batch import LogId, Role
from tapemq_broker.core.start import Start
from tapemq_broker.server.engine import Engine


async def find_start(
    engine: Engine, topic_id: int, partitions: Sequence[int], kind: str, value: int
) -> Start:
    """A Start that the core can resolve. ``value``: an offset, or microseconds since 1970.

    Raises StorageError or OSError if a log cannot be read.
    """
    if kind != "time":
        return Start(kind, value)
    loop = asyncio.get_running_loop()
    by_time: dict[int, int] = {}
    for partition in partitions:
        log = engine.logs.data(LogId(topic_id, partition, Role.DATA))
        offset = await loop.run_in_executor(None, log.offset_at, value)
        by_time[partition] = min(offset, log.durable_offset)
    return Start(kind, value, by_time)
