"""TapeMQ's producer and consumer, as an application writes them.

The options of the SDK are its defaults, unless the settings name one of them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import tapemq
from benchmarks.records import Taker, record_maker
from benchmarks.task import Task

TOPIC = "benchmark"
GROUP = "benchmark"
PRODUCER_OPTIONS = ("durability", "batch_bytes", "max_in_flight")
STREAM_OPTIONS = ("prefetch_records", "prefetch_bytes")


def options(task: Task, names: tuple[str, ...]) -> dict[str, Any]:
    """The options of the SDK that the settings name."""
    return {name: task.settings[name] for name in names if name in task.settings}


class TapemqProducer:
    """Sends record by record, or many at once in batch form, with durable receipts."""

    def __init__(self, producer: tapemq.Producer, task: Task) -> None:
        self._producer = producer
        self._make = record_maker(task.scenario.size_bytes)
        self._at_once = task.settings["form"] == "batches"

    async def send(self, sequences: range) -> None:
        """Send these records."""
        if self._at_once:
            await self._producer.send_many(list(map(self._make, sequences)))
            return
        send, make = self._producer.send, self._make
        for sequence in sequences:
            await send(make(sequence))

    async def finish(self) -> None:
        """Wait until everything is on disk."""
        await self._producer.flush()


@asynccontextmanager
async def producer(task: Task) -> AsyncIterator[TapemqProducer]:
    """Connect as a producer."""
    async with (
        await tapemq.connect(str(task.endpoint["url"])) as client,
        client.producer(TOPIC, **options(task, PRODUCER_OPTIONS)) as sender,
    ):
        yield TapemqProducer(sender, task)


async def consume(task: Task, take: Taker, subscribed: Callable[[], Awaitable[None]]) -> None:
    """Consume as a stream group."""
    chosen = options(task, STREAM_OPTIONS)
    async with (
        await tapemq.connect(str(task.endpoint["url"])) as client,
        client.stream(TOPIC, group=GROUP, start="earliest", **chosen) as stream,
    ):
        await subscribed()
        if task.settings["form"] == "batches":
            await take_batches(stream, take)
        else:
            await take_records(stream, take)


async def take_records(stream: tapemq.Stream, take: Taker) -> None:
    """Take record by record until the end."""
    async for record in stream:
        if not take(record.value):
            return


async def take_batches(stream: tapemq.Stream, take: Taker) -> None:
    """Take batch by batch until the end."""
    async for batch in stream.batches():
        for value in batch.values:
            if not take(value):
                return
