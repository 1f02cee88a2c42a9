"""Who does what in a run: topics, applications that publish and that read."""

import asyncio
from collections.abc import Coroutine, Iterator
from random import Random
from typing import Any, Final, NamedTuple

from tapemq.client import Client
from tests.support.simulation.publishing_app import PublishingApp
from tests.support.simulation.reading_app import ReadingApp
from tests.support.simulation.scene import Scene

_RECORDS: Final = (200, 400)

_Job = Coroutine[Any, Any, None]


class GroupPlan(NamedTuple):
    """A group of a topic."""

    topic: str
    group: str
    members: int
    seeks: bool


class Workload:
    """Everything that the applications of a seed do."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        random = self._random = Random(scene.random.random())
        self.topics: dict[str, int] = {
            f"topic-{number}": random.randrange(1, 5) for number in range(random.randrange(1, 4))
        }
        self._on_first_use = random.choice((None, "topic-auto"))
        if self._on_first_use:
            self.topics[self._on_first_use] = 1
        names = list(self.topics)
        self.groups = [
            GroupPlan(random.choice(names), f"group-{number}", random.randrange(1, 4), seeks)
            for number in range(random.randrange(1, 4))
            for seeks in (random.random() < 0.2,)
        ]

    async def prepare(self) -> None:
        """Create the topics, before anything goes wrong."""

        async def create(client: Client) -> None:
            for topic, partitions in self.topics.items():
                if topic != self._on_first_use:
                    await client.create_topic(topic, partitions)

        await self._scene.app("admin", create).run()

    async def run(self, mischief: "asyncio.Task[None]") -> None:
        """Let everybody work until all is published and all that goes wrong has gone wrong."""
        readers = [self._scene.loop.create_task(work) for work in self._readers()]
        publishers = [self._scene.loop.create_task(work) for work in self._publishers()]
        await asyncio.gather(mischief, *publishers)
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)

    def _publishers(self) -> Iterator[_Job]:
        random = self._random
        records, publishers = random.randrange(*_RECORDS), random.randrange(2, 6)
        for number in range(publishers):
            topic = random.choice(list(self.topics))
            count = records // publishers + 1
            app = PublishingApp(self._scene, f"p{number}", topic, count)
            yield self._scene.app(f"publisher-{number}", app.run).run()

    def _readers(self) -> Iterator[_Job]:
        for plan in self.groups:
            for number in range(plan.members):
                yield self._keep_reading(f"{plan.group}.{number}", plan)
        for number in range(self._random.randrange(3)):
            topic = self._random.choice(list(self.topics))
            yield self._keep_reading(f"reader-{number}", GroupPlan(topic, "", 1, False))

    async def _keep_reading(self, name: str, plan: GroupPlan) -> None:
        """One application after another, each killed sooner or later."""
        random = Random(self._scene.random.random())
        number = 0
        app = None
        try:
            while True:
                number += 1
                reading = ReadingApp(
                    self._scene, f"{name}.{number}", plan.topic, plan.group, seeks=plan.seeks
                )
                app = self._scene.app(f"{name}.{number}", reading.run)
                running = self._scene.loop.create_task(app.run())
                await asyncio.wait([running], timeout=random.choice((0.5, 5.0, 60.0)))
                app.kill(silently=random.random() < 0.3)
                await asyncio.sleep(random.random())
        finally:
            if app is not None:
                app.kill()
