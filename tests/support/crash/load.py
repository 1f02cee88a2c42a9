"""Clients under which a broker is killed: publishers, a reader, and workers of a queue group."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import tapemq
from tests.support.crash.history import History, Place

TOPIC = "crash"
PARTITIONS = 3
GROUP = "workers"
READERS = "readers"
SETTINGS = {"segment_bytes": 256 * 1024}
"""Segments small enough that logs roll during a run."""

_PUBLISHERS = 32
_HASTY = 8
"""Of them, those that ask for ``written``."""
_WORKERS = 64
_PUBLISH_TIMEOUT_S = 60.0
_PATIENCE_S = 300.0


class Load:
    """On one client 32 publishers, each one record at a time, some of which wait for no sync, a
    reader, and a queue whose every message is acked, with confirmation."""

    def __init__(self, client: tapemq.Client, history: History, prefix: str) -> None:
        self._client = client
        self._history = history
        self._prefix = prefix
        self._publishers: list[asyncio.Task[None]] = []
        self._readers: list[asyncio.Task[None]] = []
        self._stopping = False
        self._news = asyncio.Condition()
        self._receipts = 0
        self._settled = 0

    async def open(self) -> None:
        """Make the topic, unless it is there."""
        with suppress(tapemq.TopicExists):
            await self._client.create_topic(TOPIC, partitions=PARTITIONS, **SETTINGS)

    def start(self) -> None:
        """Begin to publish, read and work."""
        self._publishers = [asyncio.create_task(self._publish(n)) for n in range(_PUBLISHERS)]
        readers = self._read, self._consume
        self._readers = [asyncio.create_task(self._repeat(reader)) for reader in readers]

    async def _publish(self, number: int) -> None:
        history, serial = self._history, 0
        durability: tapemq.Durability = "written" if number < _HASTY else "durable"
        while not self._stopping:
            value = b"%s-%d-%d" % (self._prefix.encode(), number, serial)
            serial += 1
            history.tried.add(value)
            try:
                receipt = await self._client.publish(
                    TOPIC, value, key=value, durability=durability, timeout=_PUBLISH_TIMEOUT_S
                )
            except tapemq.Closed:
                raise
            except tapemq.Error:
                history.uncertain.add(value)
                continue
            history.ack(value, (receipt.partition, receipt.offset), receipt.durability)
            self._receipts += 1
            await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def _read(self) -> None:
        async with self._client.stream(TOPIC, group=READERS, start="earliest") as stream:
            async for record in stream:
                assert record.value is not None
                self._history.stream((record.partition, record.offset), record.value)

    async def _consume(self) -> None:
        async with self._client.queue(TOPIC, group=GROUP, prefetch=4 * _WORKERS) as queue:
            await asyncio.gather(*(self._work(queue) for _ in range(_WORKERS)))

    async def _repeat(self, consume: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            try:
                await consume()
            except tapemq.StorageFailed:
                if not self._history.disk_fails:
                    raise

    async def _work(self, queue: tapemq.Queue) -> None:
        async for message in queue:
            assert message.value is not None
            place, lease_id = (message.partition, message.offset), message._lease.lease_id
            self._history.hand_out(place, message.value, lease_id)
            try:
                await message.ack(confirm=True)
            except (tapemq.LeaseLost, tapemq.IndeterminateError):
                continue  # it comes again, or it does not
            self._history.confirm(place, lease_id)
            self._settled += 1
            await self._tell()

    async def acked(self, receipts: int, settled: int = 0) -> None:
        """Wait for so many more receipts, and so many more confirmed acks of messages.

        Raises whatever has ended one of the clients.
        """
        receipts, settled = self._receipts + receipts, self._settled + settled
        await self._unless_failed(
            self._until(lambda: self._receipts >= receipts and self._settled >= settled)
        )

    async def _until(self, met: Callable[[], bool]) -> None:
        async with self._news:
            await self._news.wait_for(met)

    async def _unless_failed(self, wait: Coroutine[Any, Any, None]) -> None:
        waiting = asyncio.create_task(wait)
        tasks = [waiting, *self._publishers, *self._readers]
        await asyncio.wait(tasks, timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            for task in self._publishers + self._readers:
                if task.done():
                    task.result()
            raise AssertionError("it does not go on")
        await waiting

    async def finish(self) -> None:
        """Let publishers have their last receipts; the reader reads, and workers settle, all."""
        self._stopping = True
        await asyncio.gather(*self._publishers)
        self._publishers.clear()
        await self._unless_failed(self._drained())
        await self.abandon()

    async def abandon(self) -> None:
        """End all clients at once."""
        tasks, self._publishers, self._readers = self._publishers + self._readers, [], []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drained(self) -> None:
        while await self._unsettled() or await self._unread():  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.02)

    async def _unread(self) -> bool:
        infos = await self._client.partitions(TOPIC)
        # Also what is written and not on disk yet, so that nobody sees it.
        last = [(info.partition, info.next_offset - 1) for info in infos]
        return not self._history.streamed.issuperset(place for place in last if place[1] >= 0)

    async def _unsettled(self) -> int:
        info = await self._client.describe_queue(TOPIC, GROUP)
        return sum(
            part.visible_offset - part.ack_floor - part.settled_above_floor
            for part in info.partitions
        )


async def read_all(url: str) -> dict[Place, bytes]:
    """What a fresh client finds in the whole topic."""
    found: dict[Place, bytes] = {}
    async with await tapemq.connect(url) as client:
        ends = {
            partition: (await client.partition(TOPIC, partition)).visible_offset
            for partition in range(PARTITIONS)
        }
        # Each partition up to its own end: what the broker takes from a dead client's socket
        # meanwhile must not count for records of another partition.
        unread = {partition for partition, end in ends.items() if end}
        async with client.stream(TOPIC, start="earliest") as stream:
            async for record in stream:
                assert record.value is not None
                found[record.partition, record.offset] = record.value
                if record.offset + 1 == ends[record.partition]:
                    unread.discard(record.partition)
                if not unread:
                    return found
    return found


async def read_some(url: str, topic: str, count: int) -> list[bytes]:
    """The first values that a fresh client finds in a topic."""
    found: list[bytes] = []
    async with (
        await tapemq.connect(url) as client,
        client.stream(topic, start="earliest") as stream,
    ):
        async for record in stream:
            assert record.value is not None
            found.append(record.value)
            if len(found) == count:
                break
    return found
