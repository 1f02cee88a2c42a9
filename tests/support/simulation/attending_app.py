"""Operators who look after queue groups."""

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Final

import tapemq
from tapemq.client import Client
from tapemq.streams.start import Start
from tests.support.simulation.clocks import EPOCH_US
from tests.support.simulation.history import Intervention, LogName, Outcome, Place
from tests.support.simulation.machine import Death
from tests.support.simulation.plans import QueuePlan
from tests.support.simulation.process import current_process
from tests.support.simulation.scene import Scene

_EXPECTED: Final = (
    *("connection_lost", "deadline_exceeded", "indeterminate"),
    *("unknown_topic", "unknown_group"),  # nobody has made it yet
)
_CHANGE_CHANCE: Final = 0.8
_SEEK_CHANCE: Final = 0.3
_DISTURBED_CHANCE: Final = 0.2
_DISTURBED_WITHIN_S: Final = (0.0003, 0.003, 0.03)
"""Some answers are lost, and some questions; some things are done by half."""
_DEATHS: Final = (None, None, Death.KILL, Death.POWER_CUT)
_AGO_S: Final = 5.0
_RATE: Final = 20


class AttendingApp:
    """Looks at a group's dead records time and again, redrives or discards some, and at times sets
    the group elsewhere.

    A group has one operator at a time, so that nothing happens between a look and what follows but
    what was left without an answer.
    """

    def __init__(self, scene: Scene, plan: QueuePlan) -> None:
        self._scene = scene
        self._random = Random(scene.random.random())
        self._plan = plan

    async def run(self, client: Client) -> None:
        """Look after the group until the process is killed."""
        while True:
            await self._scene.rest(self._random)
            try:
                if self._plan.is_sought and self._random.random() < _SEEK_CHANCE:
                    await self._seek(client)
                else:
                    await self._look(client)
            except tapemq.Error as error:
                self._scene.expected(error, *_EXPECTED)

    async def _do(self, one: Intervention, call: Awaitable[int | None]) -> None:
        self._scene.history.interventions.append(one)
        if self._random.random() < _DISTURBED_CHANCE:
            delay_s = self._random.choice(_DISTURBED_WITHIN_S) * self._random.random()
            self._scene.loop.call_later(delay_s, self._disturb, self._random.choice(_DEATHS))
        try:
            one.affected = await call or 0
        except tapemq.Error:
            one.outcome = Outcome.UNKNOWN
            raise
        one.outcome, one.done_s = Outcome.OK, self._scene.loop.time()

    def _disturb(self, death: Death | None) -> None:
        """The broker ends, or the connection."""
        machine = self._scene.machine
        if death is not None and not machine.trouble.full:  # with a full disk it may not start
            machine.die(death)
            return
        network, me = self._scene.loop.network, current_process()
        for end in [end for end in network.transports if end.process is me]:
            network.cut(end, 0.0, self._random.random())

    # Dead records

    async def _look(self, client: Client) -> None:
        topic, group = self._plan.topic, self._plan.group
        looked_s = self._scene.loop.time()
        found = await client.dead(topic, group)
        dead = [Place(topic, record.partition, record.offset) for record in found]
        if dead and self._random.random() < _CHANGE_CHANCE:
            await self._change(client, dead, looked_s)

    async def _change(self, client: Client, dead: list[Place], looked_s: float) -> None:
        topic, group = self._plan.topic, self._plan.group
        verb = self._random.choice(("redrive", "redrive", "discard"))
        rate = self._random.choice((None, None, _RATE))
        change = partial(client.redrive, rate=rate) if verb == "redrive" else client.discard
        one = Intervention(verb, group, self._scene.loop.time(), looked_s=looked_s)
        one.every = self._random.random() < 0.3
        if one.every:
            one.places = frozenset(dead)
            await self._do(one, change(topic, group, everything=True))
        else:
            some = self._some(dead)
            one.places = frozenset(some)
            offsets = [place.offset for place in some]
            await self._do(one, change(topic, group, partition=some[0].partition, offsets=offsets))

    def _some(self, dead: list[Place]) -> list[Place]:
        """One, or several of a partition."""
        first = self._random.choice(dead)
        near = [place for place in dead if place.log == first.log]
        return self._random.choice(([first], near))

    # Seeking

    async def _seek(self, client: Client) -> None:
        topic, group = self._plan.topic, self._plan.group
        partitions = (await client.topic(topic)).partitions
        log = LogName(topic, self._random.randrange(partitions))
        to = await self._anywhere(client, log)
        low = await self._offset(client, log, to)
        one = Intervention("seek", group, self._scene.loop.time(), log=log, low=low)
        await self._do(one, client.seek_group(topic, group, to, partition=log.partition))
        one.high = await self._offset(client, log, to)

    async def _anywhere(self, client: Client, log: LogName) -> Start:
        end = (await client.partition(log.topic, log.partition)).visible_offset
        at_s = self._scene.loop.time() - _AGO_S * self._random.random()
        at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=EPOCH_US, seconds=at_s)
        places: tuple[Start, ...] = self._random.randrange(end + 1), at, "earliest", "latest"
        return self._random.choice(places)

    async def _offset(self, client: Client, log: LogName, to: Start) -> int:
        """Where the group would be set to now. Later, it may be farther behind, but not before."""
        if isinstance(to, int) or to == "earliest":
            return to if isinstance(to, int) else 0
        at = to if isinstance(to, datetime) else None
        info = await client.partition(log.topic, log.partition, at=at)
        return info.visible_offset if info.time_offset is None else info.time_offset
