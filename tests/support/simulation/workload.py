"""Who does what in a run: topics, applications that publish and that read."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from random import Random
from typing import Any, Final

from tapemq.client import Client
from tests.support.simulation.app import Work
from tests.support.simulation.attending_app import AttendingApp
from tests.support.simulation.history import Most, Terms
from tests.support.simulation.operating_app import OperatingApp
from tests.support.simulation.plans import (
    GroupPlan,
    QueuePlan,
    TopicPlan,
    draw_attempts,
    draw_groups,
    draw_limits,
    draw_operators,
    draw_queues,
    draw_topics,
)
from tests.support.simulation.publishing_app import PublishingApp
from tests.support.simulation.reading_app import ReadingApp
from tests.support.simulation.scene import Scene
from tests.support.simulation.scheduling_app import SchedulingApp
from tests.support.simulation.working_app import WorkingApp

_LIVES_S: Final = (0.5, 5.0, 60.0)
"""So long, one of these, an application that reads or works lives until it is killed."""
_RECORDS: Final = (35, 50)
_RECORDS_OF_LARGE: Final = (200, 300)

_Job = Coroutine[Any, Any, None]


class Workload:
    """Everything that the applications of a seed do."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        random = self._random = Random(scene.random.random())
        self.topics = draw_limits(scene.limits, draw_topics(random, large=scene.large))
        # Retention would remove some before anybody looks.
        kept = [topic.name for topic in self.topics if topic.keeps_all]
        scene.history.limited = {topic.name for topic in self.topics if topic.limits}
        scene.history.dropping = {
            topic.name: Most(
                int(topic.limits.get("max_records", 0)), int(topic.limits.get("max_bytes", 0))
            )
            for topic in self.topics
            if topic.limits.get("overflow") == "drop_oldest"
        }
        self.scheduled_topic = random.choice(kept or ["topic-later"])
        if not kept:
            self.topics.append(TopicPlan("topic-later", 1))
        self.groups = draw_groups(random, self.topics, large=scene.large)
        queues = draw_queues(random, self.topics, large=scene.large)
        queues = draw_attempts(scene.limits, queues)
        self.queues = draw_operators(scene.limits, queues)
        scene.history.settings = {
            topic.name: {**topic.retention, **topic.limits} for topic in self.topics
        }
        scene.history.terms = {
            queue.group: Terms(queue.retry_s, queue.key_lanes, queue.max_attempts)
            for queue in self.queues
        }

    async def prepare(self) -> None:
        """Create the topics, before anything goes wrong."""

        async def create(client: Client) -> None:
            for topic in self.topics:
                if not topic.on_first_use:
                    settings = {**topic.retention, **topic.limits}
                    await client.create_topic(topic.name, topic.partitions, **settings)

        await self._scene.app("admin", create).run()

    async def run(self, mischief: "asyncio.Task[None]") -> None:
        """Let everybody work until all is published and all that goes wrong has gone wrong."""
        readers = [self._scene.loop.create_task(work) for work in self._readers()]
        workers = [self._scene.loop.create_task(work) for work in self._publishers()]
        scheduling = SchedulingApp(self._scene, self.scheduled_topic, self._schedules())
        scheduler = self._scene.app("scheduler", scheduling.run)
        workers.append(self._scene.loop.create_task(scheduler.run()))
        if self._random.random() < (0.5 if self._scene.large else 0.15):
            operating = OperatingApp(self._scene, self.topics[0])
            operator = self._scene.app("operator", operating.run)
            workers.append(self._scene.loop.create_task(operator.run()))
        await asyncio.gather(mischief, *workers)
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)

    def _schedules(self) -> int:
        return self._random.randrange(20, 40) if self._scene.large else self._random.randrange(3, 9)

    def _publishers(self) -> Iterator[_Job]:
        random = self._random
        records = random.randrange(*(_RECORDS_OF_LARGE if self._scene.large else _RECORDS))
        publishers = random.randrange(2, 6) if self._scene.large else random.choice((1, 2, 2, 3))
        for number in range(publishers):
            topic = random.choice(self.topics)
            app = PublishingApp(self._scene, f"p{number}", topic, records // publishers + 1)
            yield self._scene.app(f"publisher-{number}", app.run).run()

    def _readers(self) -> Iterator[_Job]:
        for plan in self.groups:
            for number in range(plan.members):
                yield self._keep_reading(f"{plan.group}.{number}", plan)
        for number in range(self._random.randrange(3 if self._scene.large else 2)):
            plan = GroupPlan(self._random.choice(self.topics).name)
            yield self._keep_reading(f"reader-{number}", plan)
        for queue in self.queues:
            for number in range(queue.workers):
                yield self._keep_working(f"{queue.group}.{number}", queue)
            if queue.is_attended:
                yield self._keep_attending(f"{queue.group}.operator", queue)

    async def _keep_reading(self, name: str, plan: GroupPlan) -> None:
        await self._keep_on(name, lambda own: ReadingApp(self._scene, own, plan).run)

    async def _keep_working(self, name: str, plan: QueuePlan) -> None:
        await self._keep_on(name, lambda own: WorkingApp(self._scene, own, plan).run)

    async def _keep_attending(self, name: str, plan: QueuePlan) -> None:
        await self._keep_on(name, lambda own: AttendingApp(self._scene, plan).run)

    async def _keep_on(self, name: str, make: Callable[[str], Work]) -> None:
        """One application after another, each killed sooner or later."""
        random = Random(self._scene.random.random())
        number = 0
        app = None
        try:
            while True:
                number += 1
                own = f"{name}.{number}"
                app = self._scene.app(own, make(own))
                running = self._scene.loop.create_task(app.run())
                await asyncio.wait([running], timeout=random.choice(_LIVES_S))
                app.kill(silently=random.random() < 0.3)
                await asyncio.sleep(random.random())
        finally:
            if app is not None:
                app.kill()
