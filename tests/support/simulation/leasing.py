"""Leases whose holders come to grief, while another worker waits and nothing else goes wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import tapemq
from tapemq.client import Client
from tests.support.simulation.app import App
from tests.support.simulation.history import Outcome, Trial
from tests.support.simulation.scene import Scene

_KILLED: Final = "topic-killed"
_PAUSED: Final = "topic-paused"
_GROUP: Final = "workers"
_LEASE_S: Final = 0.5
_HELD_S: Final = 1.5
"""For so long a worker who lives holds a record: its lease is renewed."""
_BEGUN_S: Final = 0.1
"""By then the broker knows that a worker has begun, so that its end is a crash."""
_PAUSE_S: Final = 5.0
_MAX_ATTEMPTS: Final = 3
_ATTEMPTS: Final = ((0, 1), (1, 1))
"""Failures and crashes: the first worker crashed, the second one fails until it is dead."""
_TIMEOUT_S: Final = 60.0


class Leasing:
    """A worker is killed, and what it held comes to the next one until it has failed too often.
    Another one stands still until its lease has run out, and acks after that.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._handed = asyncio.Event()
        self._is_lost = asyncio.Event()
        self._is_over = asyncio.Event()
        self._killed = self._trial(_ATTEMPTS)
        self._paused = self._trial(_ATTEMPTS[:1])

    def _trial(self, wanted: tuple[tuple[int, int], ...]) -> Trial:
        trial = Trial(wanted=[*wanted])
        self._scene.history.trials.append(trial)
        return trial

    async def run(self) -> None:
        """See the class."""
        await self._scene.app("after-killed", self._follow_killed).run()
        self._handed.clear()
        await self._scene.app("after-paused", self._follow_paused).run()

    async def _begin(self, client: Client, topic: str, work: Callable[..., Awaitable[None]]) -> App:
        """Let the first worker have a record."""
        await client.create_topic(topic)
        app = self._scene.app(topic, lambda own: work(self._queue(own, topic)))
        self._scene.loop.create_task(app.run())
        await client.publish(topic, b"leased")
        await self._handed.wait()
        return app

    def _queue(self, client: Client, topic: str) -> tapemq.Queue:
        return client.queue(
            topic,
            group=_GROUP,
            prefetch=1,
            lease=_LEASE_S,
            retry=[0.0],
            max_attempts=_MAX_ATTEMPTS,
        )

    def _is_second(self, trial: Trial, message: tapemq.Message) -> None:
        trial.second_s = min(trial.second_s, self._scene.loop.time())
        trial.attempts.append((message.failures, message.crashes))

    # Killed

    async def _hold(self, queue: tapemq.Queue) -> None:
        async with queue:
            async for _ in queue:
                self._handed.set()

    async def _follow_killed(self, client: Client) -> None:
        first, trial = await self._begin(client, _KILLED, self._hold), self._killed
        failing = asyncio.create_task(self._fail(self._queue(client, _KILLED), trial))
        await asyncio.sleep(_HELD_S)
        trial.until_s = self._scene.loop.time()
        first.kill()
        async with asyncio.timeout(_TIMEOUT_S):
            left = 1
            while left > 0:
                await asyncio.sleep(0.1)
                left = len(_ATTEMPTS) - len(trial.attempts)
        await asyncio.sleep(_HELD_S)
        trial.is_dead = bool(await client.dead(_KILLED, _GROUP))
        failing.cancel()

    async def _fail(self, queue: tapemq.Queue, trial: Trial) -> None:
        async with queue:
            async for message in queue:
                self._is_second(trial, message)
                await message.nack(confirm=True)

    # Paused

    async def _ack_late(self, queue: tapemq.Queue) -> None:
        async with queue:
            async for message in queue:
                await asyncio.sleep(_BEGUN_S)
                self._handed.set()
                await self._is_lost.wait()
                try:
                    await message.ack(confirm=True)
                except tapemq.LeaseLost:
                    self._paused.stale = Outcome.FAILED
                except tapemq.Error as error:
                    self._scene.expected(error, "indeterminate", "connection_lost")
                    self._paused.stale = Outcome.UNKNOWN
                else:
                    self._paused.stale = Outcome.OK
                self._is_over.set()
                return

    async def _follow_paused(self, client: Client) -> None:
        trial, published_s = self._paused, self._scene.loop.time()
        first = await self._begin(client, _PAUSED, self._ack_late)
        trial.until_s = published_s + _LEASE_S
        self._scene.loop.pause(first.process, _PAUSE_S)
        async with asyncio.timeout(_TIMEOUT_S), self._queue(client, _PAUSED) as queue:
            async for message in queue:
                self._is_second(trial, message)
                self._is_lost.set()
                await self._is_over.wait()
                await message.ack(confirm=True)
                return
