"""A broker in the test's own loop whose wall clock stands until it is advanced."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import tapemq
from tapemq_broker.config import Settings
from tapemq_broker.server.clock import RealClock, RealRandom
from tapemq_broker.server.schedules import alarm, index_builder, shelf
from tapemq_broker.server.schedules.service import Schedules
from tapemq_broker.server.server import Server
from tapemq_broker.server.world import World
from tapemq_broker.storage.disk import Disk
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.schedules.index import LeftOut, ScheduleIndex
from tapemq_broker.storage.schedules.memory_index import MemoryScheduleIndex
from tests.support.running_server import fatal

TOPIC = "t"
START = datetime(2026, 3, 28, 12, tzinfo=UTC)
_SOON_S = 0.01
"""After what it looks, and clients ask, again: that is real time."""
_SETTINGS = Settings(mark_idle_s=3600.0)
"""Marks are written after real time: a test that counts writes would count them, now and then."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class StandingClock(RealClock):
    """A wall clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def wall_us(self) -> int:
        return (self.now - _EPOCH) // timedelta(microseconds=1)


class KeptIndex(MemoryScheduleIndex):
    """An index that a restart finds again, as it would a file."""

    def close(self) -> None:
        """The file stays."""


class ScheduledBroker:
    """One data directory, a broker on it, and a client of that; they can be started again."""

    def __init__(self, disk: Disk | None = None) -> None:
        self.clock = StandingClock()
        self.disk = disk or MemoryDisk(post=asyncio.get_running_loop().call_soon)
        self.index = KeptIndex()
        self.open_index: Callable[[], ScheduleIndex] = lambda: self.index
        self.server: Server
        self.client: tapemq.Client

    async def start(self) -> None:
        world = World(self.disk, self.clock, RealRandom(), fatal, self.open_index)
        self.server = Server(_SETTINGS, world)
        await self.server.start("127.0.0.1", 0)
        self.client = await tapemq.connect(f"tapemq://127.0.0.1:{self.server.port}")

    async def stop(self) -> None:
        await self.client.close()
        if not self.server.stopped:
            await self.server.stop(grace_s=5.0)

    async def restart(self, *, later_s: float = 0.0) -> None:
        await self.stop()
        self.clock.now += timedelta(seconds=later_s)
        await self.start()

    @property
    def schedules(self) -> Schedules:
        return self.server._schedules

    def advance(self, seconds: float) -> None:
        """Set the wall clock, and have it looked at."""
        self.clock.now += timedelta(seconds=seconds)
        self.schedules.alarm.due_at(0)

    async def looked(self) -> None:
        """Have the alarm look now, and wait until what it finds due is fired."""
        alarm, done = self.schedules.alarm, asyncio.Event()
        fire_due = alarm._fire_due

        async def noted(without: LeftOut) -> bool:
            try:
                return await fire_due(without)
            finally:
                done.set()

        with patch.object(alarm, "_fire_due", noted):
            alarm.due_at(0)
            await done.wait()

    async def later(self, value: bytes, seconds: float, **options: Any) -> tapemq.ScheduleReceipt:
        """Schedule a record."""
        at = self.clock.now + timedelta(seconds=seconds)
        return await self.client.publish(TOPIC, value, at=at, **options)

    async def records(self, count: int, partition: int = 0) -> list[tapemq.Record]:
        """The first so many records of a partition."""
        found: list[tapemq.Record] = []
        async with self.client.stream(TOPIC, start="earliest", partitions=[partition]) as stream:
            async for record in stream:
                found.append(record)
                if len(found) == count:
                    return found
        raise AssertionError("the stream has ended")

    async def values(self, count: int, partition: int = 0) -> list[bytes | None]:
        """Their values."""
        return [record.value for record in await self.records(count, partition)]

    async def all_values(self, *, partition: int = 0) -> list[bytes | None]:
        """What is in a partition, up to a record that is published now."""
        receipt = await self.client.publish(TOPIC, b"end", partition=partition)
        return (await self.values(receipt.offset + 1, partition))[:-1]

    async def until_firing(self) -> None:
        """Wait until a firing of the only topic has begun."""
        (volume,) = self.schedules.shelf.volumes.values()
        while not volume.book.firings:
            await self.client.status()

    async def pending(self) -> int:
        return await self.client.schedules(TOPIC).count()

    async def none_pending(self) -> None:
        while await self.pending():
            pass


@asynccontextmanager
async def scheduled_broker(disk: Disk | None = None) -> AsyncIterator[ScheduledBroker]:
    """Started, and stopped in the end."""
    with (
        patch.object(alarm, "_LOOK_AGAIN_S", _SOON_S),
        patch.object(shelf, "_RETRY_S", _SOON_S),
        patch.object(index_builder, "_RETRY_S", _SOON_S),
    ):
        broker = ScheduledBroker(disk)
        await broker.start()
        try:
            yield broker
        finally:
            await broker.stop()
