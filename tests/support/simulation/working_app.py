"""Applications that work on queues."""

import asyncio
import builtins
from collections.abc import Coroutine
from contextlib import suppress
from random import Random
from typing import Any, Final

import tapemq
from tapemq.client import Client
from tests.support.simulation.history import Dead, LogName, Place, Work
from tests.support.simulation.plans import QueuePlan
from tests.support.simulation.scene import Scene
from tests.support.simulation.stint import EXPECTED, Stint, settle

_DRAIN_S: Final = 120.0
_VERBS: Final = ("ack", "nack", "reject", "release", "")
_OFTEN: Final = (70, 12, 3, 5, 10)
_OFTEN_IN_VAIN: Final = (35, 40, 3, 5, 17)
_OFTEN_DEAD: Final = 20
"""How often each is said: where attempts are limited, they are to be used up; where an operator
looks for dead records, there are to be some."""


class WorkingApp:
    """Opens one queue after another; each is left, or fails, or dies with its process."""

    def __init__(self, scene: Scene, name: str, plan: QueuePlan) -> None:
        self._scene = scene
        self._random = Random(scene.random.random())
        self._name = name
        self._plan = plan

    async def run(self, client: Client) -> None:
        """Work until the process is killed."""
        while True:
            try:
                await self._work_for_a_while(client, self._random.choice((0.05, 1.0, 5.0)))
            except tapemq.Error as error:
                self._scene.expected(error, *EXPECTED)
            await self._scene.rest(self._random)

    async def _work_for_a_while(self, client: Client, most_s: float) -> None:
        prefetch = self._random.choice((1, 10, 100))
        stint = Stint(self._scene, self._name, self._plan)
        with suppress(builtins.TimeoutError):
            async with (
                asyncio.timeout(most_s * self._random.random()),
                stint.opened(client, prefetch) as queue,
            ):
                with Helpers() as helpers:
                    by = helpers if self._random.random() < 0.5 else None
                    await self._work(queue, stint, by)

    async def _work(self, queue: tapemq.Queue, stint: Stint, helpers: "Helpers | None") -> None:
        """Work on one record after another, or leave each to a helper."""
        pause_s = self._random.choice((0.0, 0.0, 0.01))
        async for message in queue:
            work = stint.note(message)
            await asyncio.sleep(pause_s * self._random.random())
            if helpers:
                helpers.start(self._settle(work, message))
            else:
                await self._settle(work, message)

    async def _settle(self, work: Work, message: tapemq.Message) -> None:
        often = [*(_OFTEN_IN_VAIN if self._plan.max_attempts else _OFTEN)]
        if self._plan.is_attended:
            often[_VERBS.index("reject")] = _OFTEN_DEAD
        verb = self._random.choices(_VERBS, often)[0]
        if not verb:
            return  # its lease runs out, or it is given back when the queue is left
        confirm = self._random.random() < 0.7
        await settle(self._scene, work, message, verb, confirm=confirm)


class Helpers:
    """Tasks of an application; those that are left at the end of the block are cancelled."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def __enter__(self) -> "Helpers":
        return self

    def __exit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done meanwhile."""
        self._tasks.append(asyncio.create_task(work))


class DrainingApp:
    """Works until nothing is left to do, at the end."""

    def __init__(self, scene: Scene, plan: QueuePlan) -> None:
        self._scene = scene
        self._plan = plan

    async def run(self, client: Client) -> None:
        """Ack everything; who misses something is the checker's to say."""
        plan, history = self._plan, self._scene.history
        if plan.topic not in await client.topics():
            return
        history.queues[plan.group] = plan.topic
        is_new = not await self._exists(client)
        stint = Stint(self._scene, f"{plan.group}.final", plan)
        try:
            async with asyncio.timeout(_DRAIN_S), stint.opened(client, 100) as queue:
                if is_new:
                    await self._note_starts(client)
                with Helpers() as helpers:
                    helpers.start(self._work(queue, stint, helpers))
                    info = await self._done(client)
                    history.dead_counts[plan.group] = info.dead
                    await self._note_dead(client)
        except builtins.TimeoutError as error:
            if isinstance(error, tapemq.Error):
                raise

    async def _exists(self, client: Client) -> bool:
        try:
            await client.describe_queue(self._plan.topic, self._plan.group)
        except tapemq.GroupNotFound:
            return False
        return True

    async def _note_starts(self, client: Client) -> None:
        """No worker ever got so far as to make the group: what had been removed before it was made
        was nobody's."""
        for info in await client.partitions(self._plan.topic):
            log = LogName(self._plan.topic, info.partition)
            self._scene.history.queue_starts[self._plan.group, log] = info.first_offset

    async def _note_dead(self, client: Client) -> None:
        topic, group = self._plan.topic, self._plan.group
        self._scene.history.dead[group] = [
            Dead(
                Place(topic, record.partition, record.offset),
                record.reason,
                record.failures,
                record.crashes,
            )
            for record in await client.dead(topic, group)
        ]

    async def _work(self, queue: tapemq.Queue, stint: Stint, helpers: "Helpers") -> None:
        async for message in queue:
            work = stint.note(message)
            helpers.start(settle(self._scene, work, message, "ack", confirm=True))

    async def _done(self, client: Client) -> tapemq.QueueInfo:
        """Wait until nothing is ready, leased or to be tried again."""
        while True:
            await asyncio.sleep(0.2)
            info = await client.describe_queue(self._plan.topic, self._plan.group)
            if not info.ready + info.leased + info.retrying:
                return info
