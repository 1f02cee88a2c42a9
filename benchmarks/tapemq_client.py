"""TapeMQ's producer and consumer, as an application writes them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import tapemq
from benchmarks.records import Taker, record_maker
from benchmarks.task import Task

TOPIC = "benchmark"
GROUP = "benchmark"


class TapemqProducer:
    """Sends record by record, with durable receipts."""

    def __init__(self, producer: tapemq.Producer, task: Task) -> None:
        self._producer = producer
        self._make = record_maker(task.scenario.size_bytes)

    async def send(self, sequences: range) -> None:
        """Send these records, each on its own."""
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
        client.producer(TOPIC) as sender,
    ):
        yield TapemqProducer(sender, task)


async def consume(task: Task, take: Taker, subscribed: Callable[[], Awaitable[None]]) -> None:
    """Consume as a stream group."""
    async with (
        await tapemq.connect(str(task.endpoint["url"])) as client,
        client.stream(TOPIC, group=GROUP, start="earliest") as stream,
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
