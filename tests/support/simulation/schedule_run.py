"""One run of schedules from a seed: clients schedule and cancel while the broker dies again."""

import asyncio
import gc
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

import tapemq
from tapemq.client import Client
from tapemq_broker.config import Settings
from tests.support.simulation.app import App
from tests.support.simulation.clocks import EPOCH_US
from tests.support.simulation.history import History
from tests.support.simulation.lasting_index import LastingIndex
from tests.support.simulation.loop import START_S, SimLoop
from tests.support.simulation.machine import Machine
from tests.support.simulation.mischief import Mischief
from tests.support.simulation.network import SimNetwork
from tests.support.simulation.weather import draw_weather

TOPIC: Final = "t"
_SCHEDULES: Final = 40
_RUSH_S: Final = START_S + 4.0
"""When half of the schedules are due."""


@dataclass
class Wanted:
    """A record that was scheduled, and what is known of it."""

    value: bytes
    receipt: tapemq.ScheduleReceipt | None = None
    unknown: bool = False
    cancelled: bool = False
    maybe_cancelled: bool = False
    too_late: bool = False


def time_at(time_s: float) -> datetime:
    """The wall clock at a time of the loop."""
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=EPOCH_US, seconds=time_s)


class ScheduleRun:
    """Builds the world of a seed and runs it; play() returns what is wrong."""

    def __init__(self, seed: int) -> None:
        self._random = Random(f"schedules/{seed}")
        self.loop = SimLoop(self._part("loop"))
        self.loop.network = SimNetwork(self.loop, self._part("network"))
        self.loop.network.weather = draw_weather(self._part("weather"))
        down = self._part("down")
        self.machine = Machine(
            self.loop,
            self._part("machine"),
            Settings(heartbeat_s=1.0, mark_idle_s=0.05, segment_bytes=4096),
            History(),
            lambda: down.choice((0.01, 0.5, 3.0)) * down.random(),
        )
        self.machine.schedule_index = LastingIndex(self._part("index")).open
        self.wanted: list[Wanted] = []
        self.arrived: list[tapemq.Record] = []
        self.apps: list[App] = []

    def _part(self, name: str) -> Random:
        return Random(f"{self._random.random()}/{name}")

    def play(self) -> list[str]:
        """Run to the end, and check what has arrived."""
        gc.disable()
        logging.disable(logging.CRITICAL)
        try:
            self.loop.run_until_complete(asyncio.wait_for(self._main(), 3000))
        finally:
            self._clean_up()
            gc.enable()
            logging.disable(logging.NOTSET)
        return [*self.loop.failures, *self._complaints()]

    async def _main(self) -> None:
        broker = self.loop.create_task(self.machine.run())
        await self.machine.ready()
        scheduling = self.loop.create_task(self._app("scheduler", self._schedule).run())
        mischief = self.loop.create_task(self._wreak())
        await mischief
        await scheduling
        await self._app("reader", self._read).run()
        await self.machine.stop()
        broker.cancel()

    async def _wreak(self) -> None:
        mischief = Mischief(self.loop, self._part("mischief"), self.machine, crashes=0, rot=False)
        random = self._part("wreak")
        for _ in range(random.randrange(2, 6)):
            if random.random() < 0.4 and self.loop.time() < _RUSH_S:
                await asyncio.sleep(_RUSH_S - self.loop.time())
            else:
                await asyncio.sleep(random.choice((0.05, 0.4, 1.5)) * random.random())
            await self.machine.ready()
            faults = (mischief.kill, mischief.cut_power, mischief.die_in_a_call, mischief.stop)
            await random.choice((*faults, mischief.die_in_a_call, mischief.die_while_starting))()

    def _app(self, name: str, work: "object") -> App:
        app = App(self.loop, self._part(name), name, work)  # type: ignore[arg-type]
        self.apps.append(app)
        return app

    # What clients do

    async def _schedule(self, client: Client) -> None:
        random = self._part("schedule")
        await asyncio.gather(*(self._one(client, number, random) for number in range(_SCHEDULES)))

    async def _one(self, client: Client, number: int, random: Random) -> None:
        await asyncio.sleep(random.random() * 3)
        wanted = Wanted(b"%d" % number)
        self.wanted.append(wanted)
        due_s = random.choice((_RUSH_S, self.loop.time() + random.choice((0.0, 0.3, 2.0))))
        key = random.choice((None, None, None, f"k{number}"))
        try:
            wanted.receipt = await client.publish(
                TOPIC,
                wanted.value,
                at=time_at(due_s),
                schedule_key=key,
                timeout=random.choice((1.0, 60.0)),
            )
        except tapemq.IndeterminateError:
            wanted.unknown = True
        except tapemq.Error:
            return
        if wanted.receipt is not None and random.random() < 0.3:
            await asyncio.sleep(random.random())
            await self._cancel(client, wanted)

    async def _cancel(self, client: Client, wanted: Wanted) -> None:
        assert wanted.receipt is not None
        try:
            await client.schedules(TOPIC).cancel(wanted.receipt.schedule_id)
            wanted.cancelled = True
        except tapemq.ScheduleNotFound:
            wanted.too_late = True
        except tapemq.Error:
            wanted.maybe_cancelled = True

    async def _read(self, client: Client) -> None:
        if any(wanted.receipt for wanted in self.wanted):
            await self._none_pending(client)
        await client.publish(TOPIC, b"end", timeout=60)
        async with client.stream(TOPIC, start="earliest") as stream:
            async for record in stream:
                if record.value == b"end":
                    return
                self.arrived.append(record)

    async def _none_pending(self, client: Client) -> None:
        count = 1
        while count:
            await asyncio.sleep(0.2)
            with suppress(tapemq.Error):
                count = await client.schedules(TOPIC).count()

    # What must be so

    def _complaints(self) -> list[str]:
        times = Counter(record.value for record in self.arrived)
        first = {record.value: record for record in reversed(self.arrived)}
        return [
            f"{wanted}: arrived {times[wanted.value]} times: {complaint}"
            for wanted in self.wanted
            if (complaint := _complaint(wanted, times, first))
        ]

    def _clean_up(self) -> None:
        gc.collect()
        self.loop.close()
        asyncio._set_running_loop(self.loop)
        for process in (*self.machine.processes, *(app.process for app in self.apps)):
            process.exit("the end")
            process.bury()
        asyncio._set_running_loop(None)


def _complaint(
    wanted: Wanted, times: Counter[bytes | None], first: dict[bytes | None, tapemq.Record]
) -> str:
    count = times[wanted.value]
    if count > 1:
        return "more than once"
    if wanted.cancelled and count:
        return "it was cancelled"
    if wanted.receipt is None:
        return "" if wanted.unknown or not count else "it was refused"
    if count == 0 and not (wanted.cancelled or wanted.maybe_cancelled):
        return "it was scheduled, and is lost"
    due = wanted.receipt.due
    if count and due is not None and first[wanted.value].timestamp < due:
        return "too early"
    return ""
