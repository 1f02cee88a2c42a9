"""A consumer of a classic queue with an ack for each message."""

from collections.abc import Awaitable, Callable

from benchmarks.amqp_connection import connect
from benchmarks.classic_client import QUEUE
from benchmarks.task import Task
from benchmarks.work.client import Take


async def work(task: Task, take: Take, ready: Callable[[], None], done: Awaitable[None]) -> None:
    """Consume with ``prefetch``; a nack requeues at once."""

    def on_delivery(tag: int, body: bytes) -> None:
        if take(body, connection.redelivered):
            connection.ack(tag)
        else:
            connection.requeue(tag)

    endpoint = task.endpoint
    connection = await connect(str(endpoint["host"]), int(endpoint["amqp_port"]), on_delivery)
    await connection.declare(QUEUE, task.number("queue_version"))
    await connection.consume(task.number("prefetch"))
    ready()
    await done
    await connection.close()
