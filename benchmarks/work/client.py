"""What a system's module for work offers: one consumer, and how its records are settled."""

import importlib
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from benchmarks.task import Task

Take = Callable[[bytes | None, bool], bool]
"""Takes a value and whether it came before; True: ack it, False: nack it, for another try."""


class WorkClient(Protocol):
    """The function of a client module."""

    async def work(
        self, task: Task, take: Take, ready: Callable[[], None], done: Awaitable[None]
    ) -> None:
        """Consume as one of many until ``done``; settle each record on its own."""


def work_client_of(task: Task) -> WorkClient:
    """The module that the task's settings name."""
    return cast(WorkClient, importlib.import_module(str(task.settings["work_client"])))
