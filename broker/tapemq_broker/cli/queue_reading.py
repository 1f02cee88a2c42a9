"""Takes messages of a queue group for `sub --queue`."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import tapemq
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.reading import Flush, Take

_LOOK_EVERY_S: Final = 0.5
_IDLE_LOOKS: Final = 2
"""So often in a row nothing is ready until all counts as taken: a lease may be on its way."""

_STUCK: Final = ("paused", "dead_full", "damaged")
"""Why what is ready may never be handed out, as the broker explains it."""
_BEHIND_OTHERS: Final = ("blocked_by_key", "look_ahead_full")
"""It waits for others to be settled: for ever, where they are kept without an ack."""

_PREFETCH: Final = 100
KEPT_MAX: Final = 1000
"""So many are looked at without acks; they are kept from others meanwhile."""


class QueueWish(NamedTuple):
    """What to take. Without ``ack`` all is given back at the end."""

    topic: str
    group: str
    start: tapemq.Start
    records_max: int | None
    follow: bool
    ack: bool


class QueueReading:
    """One run over a group; each message goes to `take`, and is acked after `flush`."""

    def __init__(
        self,
        client: tapemq.Client,
        wish: QueueWish,
        take: Take,
        flush: Flush,
    ) -> None:
        self._client = client
        self._wish = wish
        self._take = take
        self._flush = flush
        limit = wish.records_max if wish.ack else min(wish.records_max or KEPT_MAX, KEPT_MAX)
        self._left = limit

    async def run(self) -> None:
        """Take until it is done, or cancelled."""
        wish = self._wish
        prefetch = min(self._left or _PREFETCH, _PREFETCH if wish.ack else KEPT_MAX)
        async with self._client.queue(
            wish.topic, group=wish.group, start=wish.start, prefetch=prefetch
        ) as queue:
            async for batch in self._batches(queue):
                messages = list(batch)[: self._left]
                for message in messages:
                    await self._take(message)
                await self._flush()
                if wish.ack:
                    for message in messages:
                        await message.ack()
                if self._left is not None:
                    self._left -= len(messages)
                    if not self._left:
                        return

    async def _batches(self, queue: tapemq.Queue) -> AsyncIterator[tapemq.MessageBatch]:
        batches = queue.batches()
        while True:
            coming = asyncio.ensure_future(anext(batches))
            try:
                if not self._wish.follow and not await self._comes(coming):
                    return
                yield await coming
            finally:
                coming.cancel()

    async def _comes(self, coming: "asyncio.Future[tapemq.MessageBatch]") -> bool:
        """Wait for the next; False if there is nothing left to hand out."""
        idle = 0
        while idle < _IDLE_LOOKS:
            await asyncio.wait((coming,), timeout=_LOOK_EVERY_S)
            if coming.done():
                return True
            info = await self._client.describe_queue(self._wish.topic, self._wish.group)
            idle = 0 if info.ready and await self._goes_on() else idle + 1
        return False

    async def _goes_on(self) -> bool:
        """Whether what is ready will come. Raises CommandError if somebody has to act before."""
        topic, group, ack = self._wish.topic, self._wish.group, self._wish.ack
        state, (sentence, *_) = await self._client.explain(topic, group)
        if state in _STUCK:
            advice = f"see: tapemq group explain {topic} {group}"
            raise CommandError(f"group {group} of topic {topic} is stuck. {sentence}", advice)
        return ack or state not in _BEHIND_OTHERS
