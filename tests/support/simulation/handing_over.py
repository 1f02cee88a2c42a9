"""A partition that one member of a group has goes to another one, and nothing else goes wrong."""

import asyncio
from random import Random
from typing import Final

import tapemq
from tapemq.client import Client
from tests.support.simulation.history import Outcome, Trial
from tests.support.simulation.scene import Scene

_TOPIC: Final = "topic-shared"
_GROUP: Final = "members"
_MOVES: Final = 1
"""Of two partitions, whoever had both keeps the first."""
_LATE_S: Final = 0.3
_PATIENCE: Final = 0.8
"""A member gives up what it has in hand when so much of the time is over that it has."""
_TIMEOUT_S: Final = 60.0


class HandingOver:
    """The first member has a record in hand when the second one comes: it keeps it, or stands still
    until the partition is taken from it, and commits after that.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        settings = scene.machine.settings
        self._deadline_s = settings.revoke_deadline_s
        # Else it is gone for good.
        may_pause = self._deadline_s + _LATE_S < settings.heartbeat_s
        self._pauses = may_pause and Random(scene.random.random()).random() < 0.7
        self._trial = Trial()
        scene.history.trials.append(self._trial)
        self._first = scene.app("first", self._commit_late)
        self._has_record = asyncio.Event()
        self._is_lost = asyncio.Event()
        self._is_over = asyncio.Event()

    async def run(self) -> None:
        """See the class."""
        reading = self._scene.loop.create_task(self._first.run())
        await self._scene.app("second", self._follow).run()
        await reading

    def _stream(self, client: Client) -> tapemq.Stream:
        return client.stream(_TOPIC, group=_GROUP, start="earliest", commit_interval=0.05)

    async def _commit_late(self, client: Client) -> None:
        await client.create_topic(_TOPIC, 2)
        await client.publish(_TOPIC, b"shared", partition=_MOVES)
        async with self._stream(client) as stream:
            async for _ in stream:
                self._has_record.set()
                await self._is_lost.wait()
                try:
                    await stream.commit()
                except tapemq.Fenced:
                    self._trial.stale = Outcome.FAILED
                else:
                    self._trial.stale = Outcome.OK
                break
        self._is_over.set()

    async def _follow(self, client: Client) -> None:
        await self._has_record.wait()
        trial, loop = self._trial, self._scene.loop
        if self._pauses:
            loop.pause(self._first.process, self._deadline_s + _LATE_S)
        trial.until_s = loop.time() + self._deadline_s * _PATIENCE
        async with asyncio.timeout(_TIMEOUT_S), self._stream(client) as stream:
            async for _ in stream:
                trial.second_s = loop.time()
                self._is_lost.set()
                await self._is_over.wait()
                break
