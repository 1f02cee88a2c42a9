"""The records that consumers work on, and how the group is with them."""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Final

import tapemq
from tests.support.crash.queue.consumer import GROUP, MAX_ATTEMPTS, POISON, TOPIC
from tests.support.crash.queue.journal import Place
from tests.support.crash.queue.rules import Ending

_PARTITIONS: Final = 3
_POISONED: Final = 1 / 150
_PATIENCE_S: Final = 120.0


class Backlog:
    """A topic in which there are always ``least`` records to work on, until finish()."""

    def __init__(self, client: tapemq.Client, seed: int, least: int) -> None:
        self._client = client
        self._least = least
        self._pick = random.Random(f"backlog-{seed}")
        self.published: dict[Place, bytes] = {}

    async def open(self) -> None:
        """Make the topic, and the first records."""
        await self._client.create_topic(TOPIC, partitions=_PARTITIONS)
        await self._publish([POISON])
        await self.top_up()

    async def top_up(self) -> None:
        """See to it that there is enough to do."""
        while len(self.published) - await self.settled() < self._least:
            await self._publish(
                POISON if self._pick.random() < _POISONED else b"plain"
                for _ in range(self._least // 2)
            )

    async def _publish(self, some: Iterable[bytes]) -> None:
        values = list(some)
        receipts = await asyncio.gather(*(self._client.publish(TOPIC, v) for v in values))
        for value, receipt in zip(values, receipts, strict=True):
            self.published[receipt.partition, receipt.offset] = value

    async def settled(self) -> int:
        """How many records are settled."""
        try:
            info = await self._client.describe_queue(TOPIC, GROUP)
        except tapemq.GroupNotFound:
            return 0  # no consumer has come yet
        return sum(part.ack_floor + part.settled_above_floor for part in info.partitions)

    async def until(self, met: Callable[[], bool], check: Callable[[], None]) -> None:
        """Keep consumers busy until a condition is met; ``check`` may raise meanwhile."""
        async with asyncio.timeout(_PATIENCE_S * 5):
            while not met():
                check()
                await self.top_up()
                await asyncio.sleep(0.05)

    async def until_settled(self, least: int, check: Callable[[], None]) -> None:
        """Wait until at least so many records are settled."""
        async with asyncio.timeout(_PATIENCE_S):
            while await self.settled() < least:
                check()
                await self.top_up()
                await asyncio.sleep(0.02)

    async def finish(self, check: Callable[[], None]) -> None:
        """Wait until all is settled."""
        async with asyncio.timeout(_PATIENCE_S):
            while await self.settled() < len(self.published):
                check()
                await asyncio.sleep(0.05)

    async def ending(self) -> Ending:
        """What the broker says in the end."""
        info = await self._client.describe_queue(TOPIC, GROUP)
        return Ending(
            set(self.published),
            MAX_ATTEMPTS,
            {
                part.partition: part.visible_offset - part.ack_floor - part.settled_above_floor
                for part in info.partitions
            },
            {
                (record.partition, record.offset): record
                for record in await self._client.dead(TOPIC, GROUP)
            },
        )
