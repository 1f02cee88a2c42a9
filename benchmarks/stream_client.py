"""Producer and consumer of a RabbitMQ stream through `rstream`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import rstream
import rstream.connection

from benchmarks.errors import BenchmarkError
from benchmarks.records import Taker, record_maker
from benchmarks.task import Task

STREAM = "benchmark"
# rstream reads 256 bytes at a time, which costs half of its speed with large records.
rstream.connection.CHUNK_SIZE = 1024 * 1024


def credentials(task: Task) -> dict[str, Any]:
    """Where and how to connect."""
    return {
        "host": str(task.endpoint["host"]),
        "port": int(task.endpoint["stream_port"]),
        "username": "guest",
        "password": "guest",
    }


class StreamProducer:
    """Sends each call's records as one batch, or as one sub-entry of a batch.

    At most `window` confirms are outstanding: a batch has one for each record, a sub-entry has
    one. rstream gathers sub-entries and sends them twice a second; with `flush_every`, they are
    sent after so many calls instead.
    """

    def __init__(self, client: rstream.Producer, task: Task) -> None:
        self._client = client
        self._make = record_maker(task.scenario.size_bytes)
        self._sub_entries = task.settings["form"] == "sub-entries"
        self._window = task.number("window")
        self._flush_every = task.number("flush_every")
        self._calls = 0
        self._sent = 0
        self._confirmed = 0
        self._error: BenchmarkError | None = None
        self._changed = asyncio.Event()

    async def send(self, sequences: range) -> None:
        """Send these records, confirmed by the broker."""
        values = [self._make(sequence) for sequence in sequences]
        if self._sub_entries:
            self._sent += 1
            await self._client.send_sub_entry(STREAM, values, on_publish_confirm=self._on_confirm)
        else:
            self._sent += len(values)
            await self._client.send_batch(STREAM, values, on_publish_confirm=self._on_confirm)
        self._calls += 1
        if self._flush_every and self._calls % self._flush_every == 0:
            await self._flush()
        await self._wait_unconfirmed(self._window)

    async def finish(self) -> None:
        """Wait for all confirms."""
        await self._flush()
        await self._wait_unconfirmed(0)

    async def _flush(self) -> None:
        # rstream has no public way to send what it has gathered before its timer does.
        await self._client._publish_buffered_messages(STREAM)

    async def _wait_unconfirmed(self, most: int) -> None:
        while not self._error and self._sent - self._confirmed > most:
            self._changed.clear()
            await self._changed.wait()
        if self._error:
            raise self._error

    def _on_confirm(self, status: rstream.ConfirmationStatus) -> None:
        self._confirmed += 1
        if not status.is_confirmed:
            self._error = BenchmarkError(f"the stream refused a record: {status!r}")
        self._changed.set()


@asynccontextmanager
async def producer(task: Task) -> AsyncIterator[StreamProducer]:
    """Connect as a producer."""
    async with rstream.Producer(**credentials(task)) as client:
        yield StreamProducer(client, task)


async def consume(task: Task, take: Taker, subscribed: Callable[[], Awaitable[None]]) -> None:
    """Consume from the start, with `credit` chunks in advance."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_message(value: bytes, _: rstream.MessageContext) -> None:
        try:
            if not take(value):
                ended.set_result(None)
        except Exception as error:
            ended.set_exception(error)

    consumer = rstream.Consumer(**credentials(task))
    await consumer.create_stream(STREAM)
    first = rstream.ConsumerOffsetSpecification(rstream.OffsetType.FIRST)
    await consumer.subscribe(
        STREAM, on_message, offset_specification=first, initial_credit=task.number("credit")
    )
    await subscribed()
    await ended
    await consumer.close()
