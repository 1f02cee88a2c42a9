"""A consumer of a TapeMQ queue group, as an application writes it."""

import asyncio
from collections.abc import Awaitable, Callable

import tapemq
from benchmarks.tapemq_client import TOPIC
from benchmarks.task import Task
from benchmarks.work.client import Take

GROUP = "workers"


async def work(task: Task, take: Take, ready: Callable[[], None], done: Awaitable[None]) -> None:
    """Consume with ``prefetch``; a nack asks for the next try at once."""
    async with (
        await tapemq.connect(str(task.endpoint["url"])) as client,
        client.queue(TOPIC, group=GROUP, prefetch=task.number("prefetch")) as queue,
    ):
        ready()
        working = asyncio.ensure_future(settle_all(queue, take))
        await asyncio.wait((working, asyncio.ensure_future(done)), return_when="FIRST_COMPLETED")
        if working.done():
            await working  # it never ends by itself: this raises
        working.cancel()
        await asyncio.wait((working,))


async def settle_all(queue: tapemq.Queue, take: Take) -> None:
    """Settle each record on its own."""
    async for message in queue:
        if take(message.value, message.attempt > 1):
            await message.ack()
        else:
            await message.nack(delay=0)
