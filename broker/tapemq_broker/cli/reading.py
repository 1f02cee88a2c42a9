"""Reads a topic for `sub` and `peek`: until a count, until the end of now, or for ever."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import tapemq
from tapemq_broker.cli.remaining import Remaining

_LOOK_EVERY_S: Final = 1.0


class Wish(NamedTuple):
    """What to read.

    `records_max` None: no limit. Without `follow` reading ends where the topic ends now.
    """

    topic: str
    group: str | None
    start: tapemq.Start
    partition: int | None
    records_max: int | None
    follow: bool


Take = Callable[[tapemq.Record], Awaitable[None]]
Flush = Callable[[], Awaitable[None]]


class Reading:
    """One run over a topic; each record goes to `take`, and is committed after `flush`."""

    def __init__(self, client: tapemq.Client, wish: Wish, take: Take, flush: Flush) -> None:
        self._client = client
        self._wish = wish
        self._take = take
        self._flush = flush
        self._remaining = Remaining(client, wish.topic, wish.group)
        self._stream: tapemq.Stream | None = None
        self._leaving = False
        self._taking = False

    async def run(self) -> None:
        """Read until it is done, or cancelled.

        Raises TopicNotFound if it does not follow; else a missing topic comes into being.
        """
        if self._wish.follow:
            await self._read()
            return
        await self._remaining.begin(self._wish.start, self._wish.partition)
        if self._remaining.done:
            return
        reading = asyncio.create_task(self._read())
        try:
            await self._watch(reading)
        finally:
            reading.cancel()
            await asyncio.wait((reading,))
        if not reading.cancelled():
            reading.result()

    async def _watch(self, reading: asyncio.Task[None]) -> None:
        """Wait until the task has read all, or others have."""
        while not reading.done():
            await asyncio.wait((reading,), timeout=_LOOK_EVERY_S)
            if self._taking:
                continue  # it is behind the record in hand that the stream is
            if not self._leaving:
                self._pass_gaps()
                await self._remaining.look()
            # A reader that leaves by itself still commits what it has read.
            if self._remaining.done and not self._leaving and not self._taking:
                return

    def _pass_gaps(self) -> None:
        """Note where the stream is: a repair may have left offsets without records."""
        for partition, position in (self._stream.position if self._stream else {}).items():
            self._remaining.reached(partition, position)

    async def _read(self) -> None:
        wish, records = self._wish, 0
        partitions = None if wish.partition is None else [wish.partition]
        async with self._client.stream(
            wish.topic, group=wish.group, start=wish.start, partitions=partitions
        ) as stream:
            self._stream = stream
            async for some in self._pieces(stream):
                self._taking = True
                for record in some:
                    await self._take(record)
                if wish.group:
                    await self._flush()
                self._taking = False
                records += len(some)
                self._remaining.reached(some[-1].partition, some[-1].offset + 1)
                if records == wish.records_max or (not wish.follow and self._remaining.done):
                    self._leaving = True
                    break

    async def _pieces(self, stream: tapemq.Stream) -> AsyncIterator[Sequence[tapemq.Record]]:
        """What comes, in pieces: all of one is committed when the next one is asked for."""
        left = self._wish.records_max
        if self._wish.group and left is not None:
            # The last one of them may be any of its batch.
            async for record in stream:
                yield (record,)
        async for batch in stream.batches():
            records = list(batch.records())[:left]
            yield records
            left = None if left is None else left - len(records)
