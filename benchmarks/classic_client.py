"""Producer and consumer of a durable classic queue: publisher confirms, consumer acks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from benchmarks.amqp_connection import AmqpConnection, connect
from benchmarks.records import Taker, record_maker
from benchmarks.task import Task

QUEUE = "benchmark"


async def open_queue(task: Task, on_delivery: Callable[[int, bytes], None]) -> AmqpConnection:
    """Connect, and declare the queue of the run."""
    endpoint = task.endpoint
    connection = await connect(str(endpoint["host"]), int(endpoint["amqp_port"]), on_delivery)
    await connection.declare(QUEUE, task.number("queue_version"))
    return connection


class ClassicProducer:
    """Publishes in writes of `records_per_call`, with `window` unconfirmed messages at most."""

    def __init__(self, connection: AmqpConnection, task: Task) -> None:
        self._connection = connection
        self._publish = connection.publisher(task.scenario.size_bytes)
        self._make = record_maker(task.scenario.size_bytes)
        self._window = task.number("window")

    async def send(self, sequences: range) -> None:
        """Publish these records in one write."""
        await self._connection.wait_unconfirmed(max(0, self._window - len(sequences)))
        self._publish([self._make(sequence) for sequence in sequences])

    async def finish(self) -> None:
        """Wait for all confirms."""
        await self._connection.wait_unconfirmed(0)


@asynccontextmanager
async def producer(task: Task) -> AsyncIterator[ClassicProducer]:
    """Connect as a producer with publisher confirms."""
    connection = await open_queue(task, lambda tag, body: None)
    await connection.select_confirms()
    yield ClassicProducer(connection, task)
    await connection.close()


async def consume(task: Task, take: Taker, subscribed: Callable[[], Awaitable[None]]) -> None:
    """Consume with `prefetch`; one ack covers `ack_every` deliveries."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    ack_every = task.number("ack_every")

    def on_delivery(tag: int, body: bytes) -> None:
        try:
            more = take(body)
        except Exception as error:
            ended.set_exception(error)
            return
        if not more:
            connection.ack_up_to(tag)
            ended.set_result(None)
        elif tag % ack_every == 0:
            connection.ack_up_to(tag)

    connection = await open_queue(task, on_delivery)
    await connection.consume(task.number("prefetch"))
    await subscribed()
    await ended
    await connection.close()
