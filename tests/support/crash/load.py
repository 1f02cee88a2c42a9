"""Clients under which a broker is killed: publishers that want receipts, and a reader."""

import asyncio
from contextlib import suppress

import tapemq
from tests.support.crash.history import History, Place

TOPIC = "crash"
PARTITIONS = 3
_PUBLISHERS = 32
_PUBLISH_TIMEOUT_S = 60.0


class Load:
    """Thirty-two publishers, each one record at a time, and one reader, on one client."""

    def __init__(self, client: tapemq.Client, history: History, prefix: str) -> None:
        self._client = client
        self._history = history
        self._prefix = prefix
        self._tasks: list[asyncio.Task[None]] = []
        self._acks = asyncio.Condition()
        self._ack_count = 0

    def start(self) -> None:
        """Begin to publish and read."""
        loops = [self._publish(number) for number in range(_PUBLISHERS)]
        self._tasks = [asyncio.create_task(loop) for loop in [*loops, self._read()]]

    async def _publish(self, number: int) -> None:
        history, serial = self._history, 0
        while True:
            value = b"%s-%d-%d" % (self._prefix.encode(), number, serial)
            serial += 1
            history.tried.add(value)
            try:
                receipt = await self._client.publish(
                    TOPIC, value, key=value, timeout=_PUBLISH_TIMEOUT_S
                )
            except tapemq.Error:
                history.uncertain.add(value)
                continue
            except asyncio.CancelledError:
                history.uncertain.add(value)
                raise
            history.ack(value, (receipt.partition, receipt.offset))
            async with self._acks:
                self._ack_count += 1
                self._acks.notify_all()

    async def _read(self) -> None:
        async with self._client.stream(TOPIC, start="earliest") as stream:
            async for record in stream:
                assert record.value is not None
                self._history.observe((record.partition, record.offset), record.value)

    async def acked(self, count: int) -> None:
        """Wait for ``count`` more receipts."""
        target = self._ack_count + count
        async with self._acks:
            await self._acks.wait_for(lambda: self._ack_count >= target)

    async def stop(self) -> None:
        """Cancel everything; what was not answered stays uncertain."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError, tapemq.Error):
                await task


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
