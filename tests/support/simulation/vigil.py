"""Readers that stay open while nothing goes wrong any more: each is to get what is published."""

import asyncio
import builtins
from collections.abc import Coroutine, Iterator
from random import Random
from typing import Any, Final

import tapemq
from tapemq.client import Client
from tests.support.simulation.history import Watch
from tests.support.simulation.plans import GroupPlan, QueuePlan, TopicPlan
from tests.support.simulation.scene import Scene
from tests.support.simulation.stint import opened
from tests.support.simulation.workload import Workload

_PATIENCE_S: Final = 65.0
"""A little more than the rule has."""
_ROUNDS: Final = 5
_PAUSE_S: Final = 0.3
_BURST: Final = 12
_BURST_BYTES: Final = 700


class Vigil:
    """Streams, groups and queues wait at the ends of their logs; then records come, a round at a
    time. In one round the readers' process stands still, while more comes than their connection
    takes.
    """

    def __init__(self, scene: Scene, workload: Workload) -> None:
        self._scene = scene
        self._workload = workload
        self._random = Random(scene.random.random())
        self._app = scene.app("watch", self._wait)
        self._unready: set[str] = set()
        self._left: dict[tuple[str, bytes], Watch] = {}
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """See the class."""
        waiting = self._scene.loop.create_task(self._app.run())
        await self._scene.app("herald", self._publish).run()
        self._app.kill()
        await waiting

    def _plans(self) -> Iterator[tuple[str, TopicPlan, GroupPlan | QueuePlan]]:
        """Who reads: everybody whose publishers need not wait for room."""
        for topic in self._workload.topics:
            if topic.limits.get("overflow") == "refuse":
                continue
            plans: list[GroupPlan | QueuePlan] = [GroupPlan(topic.name)]
            plans += [plan for plan in self._workload.groups if plan.topic == topic.name]
            plans += [plan for plan in self._workload.queues if plan.topic == topic.name]
            for plan in plans:
                yield f"{plan.group or topic.name}.watch", topic, plan

    # Reading

    async def _wait(self, client: Client) -> None:
        topics = await client.topics()
        waits: list[Coroutine[Any, Any, None]] = []
        for name, topic, plan in self._plans():
            if topic.name in topics:
                self._unready.add(name)
                if isinstance(plan, QueuePlan):
                    waits.append(self._work(client, name, plan))
                else:
                    waits.append(self._read(client, name, plan))
        self._changed.set()
        await asyncio.gather(*waits)

    async def _read(self, client: Client, name: str, plan: GroupPlan) -> None:
        stream = client.stream(
            plan.topic,
            group=plan.group or None,
            start="earliest" if plan.group else "latest",
            hold=plan.hold,
        )
        async with stream:
            partitions = (await client.topic(plan.topic)).partitions
            missing = partitions
            while missing:
                await asyncio.sleep(0.05)
                missing = partitions - len(stream.position)
            self._is_ready(name)
            async for record in stream:
                self._seen(name, record.value)

    async def _work(self, client: Client, name: str, plan: QueuePlan) -> None:
        async with opened(client, plan, 100) as queue:
            self._is_ready(name)
            async for message in queue:
                self._seen(name, message.value)
                await message.ack()

    def _is_ready(self, name: str) -> None:
        self._unready.discard(name)
        self._changed.set()

    def _seen(self, name: str, value: bytes | None) -> None:
        watch = self._left.pop((name, value or b""), None)
        if watch is not None:
            watch.seen_s = self._scene.loop.time()
            self._changed.set()

    # Publishing

    async def _publish(self, client: Client) -> None:
        await self._changed.wait()
        await self._settled(self._unready)
        paused = self._random.randrange(_ROUNDS)
        for number in range(_ROUNDS):
            if number == paused:
                self._scene.loop.pause(self._app.process, _PAUSE_S)
            await self._publish_round(client, number, is_burst=number == paused)
            if not await self._settled(self._left):
                return

    async def _publish_round(self, client: Client, number: int, *, is_burst: bool) -> None:
        readers: dict[str, list[str]] = {}
        for name, topic, _ in self._plans():
            readers.setdefault(topic.name, []).append(name)
        topics = await client.topics()
        for topic in self._workload.topics:
            if topic.name not in topics or topic.name not in readers:
                continue
            # What is dropped again before its readers come to it is not missed.
            count = _BURST if is_burst and topic.keeps_all else 1
            for partition in range((await client.topic(topic.name)).partitions):
                for part in range(count):
                    value = b"watch:%d:%d:%d:" % (number, partition, part)
                    value += topic.name.encode() + b"." * (_BURST_BYTES if is_burst else 0)
                    self._expect(readers[topic.name], value)
                    await client.publish(topic.name, value, partition=partition)

    def _expect(self, readers: list[str], value: bytes) -> None:
        now_s = self._scene.loop.time()
        for name in readers:
            watch = self._left[name, value] = Watch(name, value[:40], now_s)
            self._scene.history.watches.append(watch)

    async def _settled(self, left: set[str] | dict[Any, Any]) -> bool:
        """Wait until nothing is left; False if that takes too long."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while left:
                    self._changed.clear()
                    await self._changed.wait()
        except builtins.TimeoutError as error:
            if isinstance(error, tapemq.Error):
                raise
            return False
        return True
