"""Producer and consumer of the relay broker, as a client module of the benchmarks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from benchmarks.records import Taker, record_maker
from benchmarks.task import Task


class RelayProducer:
    """Writes records back to back; the setting "damaged" names one that it damages."""

    def __init__(self, writer: asyncio.StreamWriter, task: Task) -> None:
        self._writer = writer
        self._make = record_maker(task.scenario.size_bytes)
        self._damaged = task.number("damaged")

    async def send(self, sequences: range) -> None:
        for sequence in sequences:
            value = self._make(sequence)
            if sequence == self._damaged:
                value = value[:-1] + b"!"
            self._writer.write(value)
        await self._writer.drain()

    async def finish(self) -> None:
        await self._writer.drain()


@asynccontextmanager
async def producer(task: Task) -> AsyncIterator[RelayProducer]:
    _, writer = await asyncio.open_connection("127.0.0.1", int(task.endpoint["port"]))
    yield RelayProducer(writer, task)
    writer.close()


async def consume(task: Task, take: Taker, subscribed: Callable[[], Awaitable[None]]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(task.endpoint["port"]))
    await subscribed()
    while take(await reader.readexactly(task.scenario.size_bytes)):
        pass
    writer.close()
