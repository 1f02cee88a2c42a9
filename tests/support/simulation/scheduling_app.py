"""Applications that publish for later."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

import tapemq
from tapemq.client import Client
from tests.support.simulation.clocks import EPOCH_US
from tests.support.simulation.history import Outcome, Schedule
from tests.support.simulation.scene import Scene

_TIMEOUTS_S: Final = (1.0, 60.0)
_RUSH_S: Final = 0.5


class SchedulingApp:
    """Schedules ``count`` records, half of them for the same moment, and cancels some."""

    def __init__(self, scene: Scene, topic: str, count: int) -> None:
        self._scene = scene
        self._random = Random(scene.random.random())
        self._topic = topic
        self._count = count

    async def run(self, client: Client) -> None:
        """Schedule everything."""
        rush_s = self._scene.loop.time() + _RUSH_S
        await asyncio.gather(*(self._one(client, n, rush_s) for n in range(self._count)))

    async def _one(self, client: Client, number: int, rush_s: float) -> None:
        random, loop = self._random, self._scene.loop
        await asyncio.sleep(random.random() * _RUSH_S)
        due_s = random.choice((rush_s, loop.time() + random.choice((0.0, 0.3, 2.0))))
        schedule = Schedule(self._topic, b"later:%d" % number, loop.time())
        self._scene.history.schedules.append(schedule)
        try:
            receipt = await client.publish(
                self._topic,
                schedule.value,
                at=datetime.fromtimestamp(0, UTC) + timedelta(microseconds=EPOCH_US, seconds=due_s),
                schedule_key=random.choice((None, None, None, f"k{number}")),
                timeout=random.choice(_TIMEOUTS_S),
            )
        except tapemq.IndeterminateError as error:
            self._end(schedule, error, Outcome.UNKNOWN)
        except tapemq.Error as error:
            self._end(schedule, error, Outcome.FAILED)
        else:
            schedule.outcome, schedule.due = Outcome.OK, receipt.due
            schedule.done_s = loop.time()
            if random.random() < 0.3:
                await asyncio.sleep(random.random())
                await self._cancel(client, schedule, receipt.schedule_id)

    def _end(self, schedule: Schedule, error: tapemq.Error, outcome: Outcome) -> None:
        schedule.outcome = outcome
        self._scene.expected(error, "indeterminate", "deadline_exceeded", "disk_full")

    async def _cancel(self, client: Client, schedule: Schedule, schedule_id: int) -> None:
        schedule.cancel = Outcome.PENDING
        try:
            await client.schedules(self._topic).cancel(schedule_id)
        except tapemq.ScheduleNotFound:
            schedule.cancel = Outcome.FAILED
        except tapemq.Error:
            schedule.cancel = Outcome.UNKNOWN
        else:
            schedule.cancel = Outcome.OK


async def none_pending(client: Client, topic: str) -> None:
    """Wait until everything that was scheduled has been published or cancelled."""
    count = 1
    while count:
        await asyncio.sleep(0.2)
        try:
            count = await client.schedules(topic).count()
        except tapemq.Error as error:
            if error.code == "unknown_topic":
                return  # it was to be made by its first use, and nothing came of that
