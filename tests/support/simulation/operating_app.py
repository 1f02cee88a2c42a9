"""Applications that create, change and delete topics."""

import asyncio
from random import Random
from typing import Final

import tapemq
from tapemq.client import Client
from tests.support.simulation.plans import TopicPlan
from tests.support.simulation.scene import Scene

_EXPECTED: Final = ("deadline_exceeded", "indeterminate", "disk_full", "unknown_topic")


class OperatingApp:
    """Makes a topic wider while it is in use, and others come and go."""

    def __init__(self, scene: Scene, widened: TopicPlan) -> None:
        self._scene = scene
        self._random = Random(scene.random.random())
        self._widened = widened

    async def run(self, client: Client) -> None:
        """Do all of it once."""
        await self._pause()
        await self._widen(client)
        for number in range(self._random.randrange(4)):
            name = f"extra-{number}"
            await self._create(client, name)
            surely = await self._use(client, name)
            if self._random.random() < 0.5:
                await self._delete(client, name, surely=surely)

    async def _pause(self) -> None:
        await asyncio.sleep(self._random.choice((0.01, 0.3, 1.0)) * self._random.random())

    async def _widen(self, client: Client) -> None:
        topic = self._widened
        partitions = topic.partitions + self._random.randrange(1, 3)
        try:
            await client.alter_topic(topic.name, partitions=partitions)
        except tapemq.Error as error:
            self._scene.expected(error, *_EXPECTED)

    async def _create(self, client: Client, name: str) -> None:
        topics = self._scene.history.topics
        topics[name] = None
        try:
            await client.create_topic(name, self._random.randrange(1, 4))
        except tapemq.Error as error:
            self._scene.expected(error, *_EXPECTED)
        else:
            topics[name] = True

    async def _use(self, client: Client, name: str) -> bool:
        """Publish a little. False if a record may still be on its way: if the topic is deleted,
        it is created again for that record's sake.

        What is published here is not looked at; it must only not be in the way.
        """
        try:
            for _ in range(self._random.randrange(5)):
                await client.publish(name, b"x" * self._random.randrange(2000), timeout=1.0)
                await self._pause()
        except tapemq.Error as error:
            self._scene.expected(error, *_EXPECTED)
            return False
        return True

    async def _delete(self, client: Client, name: str, *, surely: bool) -> None:
        topics = self._scene.history.topics
        topics[name] = None
        try:
            await client.delete_topic(name)
        except tapemq.Error as error:
            self._scene.expected(error, *_EXPECTED)
        else:
            topics[name] = False if surely else None
        await self._pause()
