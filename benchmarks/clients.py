"""What a system's client module offers to the worker process, and how it is driven.

A client module has two functions: `producer(task)`, an async context manager that yields a
`Producer`, and `consume(task, take, subscribed)`, which calls `await subscribed()` once records
can arrive, hands every value to `take`, acknowledges what it received, and returns when `take`
is False.
"""

import importlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from time import monotonic_ns
from typing import Protocol, cast

from benchmarks.pacer import NANOSECONDS, Pacer
from benchmarks.records import END, Taker
from benchmarks.task import Task


class Producer(Protocol):
    """The sending side of one system's client."""

    async def send(self, sequences: range) -> None:
        """Make and send the records of these numbers; wait while too many are on the way."""

    async def finish(self) -> None:
        """Return when everything sent is confirmed by the broker."""


class Client(Protocol):
    """The functions of a client module."""

    def producer(self, task: Task) -> AbstractAsyncContextManager[Producer]:
        """Connect as a producer."""

    async def consume(
        self, task: Task, take: Taker, subscribed: Callable[[], Awaitable[None]]
    ) -> None:
        """Consume one run."""


def client_of(task: Task) -> Client:
    """The client module that a task names."""
    return cast(Client, importlib.import_module(task.client))


async def drive(producer: Producer, task: Task, start_ns: int) -> int:
    """Send the records of a task and the end record; return the number of records."""
    if task.scenario.rate_per_s:
        count = await send_on_schedule(producer, task, start_ns)
    else:
        count = await send_at_full_speed(producer, task, start_ns)
    await producer.send(range(END | count, (END | count) + 1))
    await producer.finish()
    return count


async def send_at_full_speed(producer: Producer, task: Task, start_ns: int) -> int:
    """Send until the time is over, or the number of records is reached."""
    deadline_ns = start_ns + int(task.seconds * NANOSECONDS)
    step = task.number("records_per_call")
    sent = 0
    while sent < task.records if task.records else monotonic_ns() < deadline_ns:
        step = min(step, task.records - sent) if task.records else step
        await producer.send(range(sent, sent + step))
        sent += step
    return sent


async def send_on_schedule(producer: Producer, task: Task, start_ns: int) -> int:
    """Send each record when it is due, however long the earlier ones took."""
    count = int(task.scenario.rate_per_s * task.seconds)
    sent = 0
    with Pacer(start_ns, task.scenario.rate_per_s) as pacer:
        while sent < count:
            due = min(await pacer.due(), count)
            await producer.send(range(sent, due))
            sent = due
    return count
