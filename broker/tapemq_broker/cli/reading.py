"""Reads a topic for `sub` and `peek`: until a count, until the end of now, or for ever."""

import asyncio
from collections.abc import Callable
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


class Reading:
    """One run over a topic; each record goes to `take`."""

    def __init__(
        self, client: tapemq.Client, wish: Wish, take: Callable[[tapemq.Record], None]
    ) -> None:
        self._client = client
        self._wish = wish
        self._take = take
        self._remaining = Remaining(client, wish.topic, wish.group)
        self._stream: tapemq.Stream | None = None
        self._leaving = False

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
            if not self._leaving:
                self._pass_gaps()
                await self._remaining.look()
            # A reader that leaves by itself still commits what it has read.
            if self._remaining.done and not self._leaving:
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
            async for record in stream:
                self._take(record)
                records += 1
                self._remaining.reached(record.partition, record.offset + 1)
                if records == wish.records_max or (not wish.follow and self._remaining.done):
                    self._leaving = True
                    break
