"""Waits for the time at which something is due, and has it fired."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.schedules.book import Due
from tapemq_broker.core.schedules.recurrence import Zones, due_times
from tapemq_broker.server.durability import LogGone
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.flow import DISK_LOW, Flow
from tapemq_broker.server.schedules.firing import Firing
from tapemq_broker.server.schedules.index_runner import IndexRunner
from tapemq_broker.server.schedules.indexer import Indexer
from tapemq_broker.server.schedules.rows import schedule_of
from tapemq_broker.server.schedules.shelf import Shelf
from tapemq_broker.storage.schedules.index import IndexDamaged, LeftOut, Partition, ScheduleIndex

log = logging.getLogger("tapemq.broker")

_LOOK_AGAIN_S: Final = 0.5
"""The wall clock may be set; and timers are of another one."""

_RETRY_S: Final = 1.0
_ROWS_AT_ONCE: Final = 4096
_BYTES_AT_ONCE: Final = 4 * 1024 * 1024


class _Found(NamedTuple):
    """What is due, when to look again, and topics of which a schedule has no times, and why."""

    due: dict[Partition, list[Due]]
    next_us: int | None
    refused: dict[int, str]


class Alarm:
    """One round after the other, each for all that is due when it begins."""

    def __init__(
        self,
        engine: Engine,
        flow: Flow,
        shelf: Shelf,
        runner: IndexRunner,
        indexer: Indexer,
        firing: Firing,
        zones: Zones,
        on_damage: Callable[[str], None],
    ) -> None:
        self._engine: Final = engine
        self._flow: Final = flow
        self._shelf: Final = shelf
        self._runner: Final = runner
        self._indexer: Final = indexer
        self._firing: Final = firing
        self._zones: Final = zones
        self._on_damage: Final = on_damage
        self._due_us: int | None = None
        self._woken: Final = asyncio.Event()
        self._stopping = False
        self._up_since_us = 0

    def start(self) -> None:
        """Fire what is due from now on."""
        self._up_since_us = self._engine.world.clock.wall_us()
        self.due_at(0)
        self._engine.spawn(self._run())

    def stop(self) -> None:
        """End when the round that is under way is over."""
        self._stopping = True
        self._woken.set()

    def due_at(self, due_us: int) -> None:
        """Something is due then; 0: look at once."""
        if self._due_us is None or due_us < self._due_us:
            self._due_us = due_us
            self._woken.set()

    async def _run(self) -> None:
        while not self._stopping:
            await self._wait()
            if not self._is_due():
                continue
            if self._flow.blocked == DISK_LOW:
                await self._pause(_LOOK_AGAIN_S)
                continue
            try:
                if not await self._round():
                    await self._rest()  # the disk is full
            except OSError as error:
                log.error("the index of schedules cannot be read: %s", error)
                await self._pause(_RETRY_S)
                self.due_at(0)
            except IndexDamaged as damaged:
                self._on_damage(str(damaged))

    def _is_due(self) -> bool:
        if self._stopping:
            return False
        return self._due_us is not None and self._due_us <= self._engine.world.clock.wall_us()

    async def _wait(self) -> None:
        """Until it is time, or may be."""
        self._woken.clear()
        if self._due_us is None:
            await self._woken.wait()
        elif not self._is_due():
            wait_us = self._due_us - self._engine.world.clock.wall_us()
            await self._pause(min(wait_us / 1_000_000, _LOOK_AGAIN_S))

    async def _rest(self) -> None:
        """For a while, although something is due: the round has said so again."""
        self._woken.clear()
        if not self._stopping:
            await self._pause(_RETRY_S)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def _round(self) -> bool:
        """Fire what is due; whether anything that is due has been dealt with."""
        self._due_us = None  # what becomes due meanwhile says so
        without = self._not_now()
        for volume in self._shelf.volumes.values():
            volume.book.look()
        try:
            return await self._fire_due(without)
        finally:
            for volume in self._shelf.volumes.values():
                volume.book.looked()

    async def _fire_due(self, without: LeftOut) -> bool:
        now_us = self._engine.world.clock.wall_us()
        found = await self._runner.run(lambda index: self._look(index, now_us, without))
        not_fired = {*found.refused, *await self._forget_strangers(found)}
        for topic_id, why in found.refused.items():
            self._refuse(topic_id, why)
        due = {place: some for place, some in found.due.items() if place[0] not in not_fired}
        ends = self._ends()
        await asyncio.gather(*(self._fire(topic, n, some) for (topic, n), some in due.items()))
        if found.next_us is not None:
            self.due_at(found.next_us)
        return not due or ends != self._ends()

    async def _forget_strangers(self, found: _Found) -> set[int]:
        """Have the index forget topics that are gone; returns them.

        What is due of them would come first for ever, and others behind it never.
        """
        due = {topic_id for topic_id, _ in found.due}
        strangers = (due | found.refused.keys()) - self._shelf.volumes.keys()

        def forget(index: ScheduleIndex) -> None:
            for topic_id in strangers:
                index.forget(topic_id)

        if strangers:
            await self._runner.run(forget)
        return strangers

    def _not_now(self) -> LeftOut:
        """What is firing or refused, and topics of which the index does not say all yet."""
        volumes = self._shelf.volumes.values()
        firing = [(v.topic_id, number) for v in volumes for number in v.book.firings]
        waiting = [v.topic_id for v in volumes if not v.is_ready]
        return LeftOut([*firing, *self._firing.left_out()], waiting)

    def _ends(self) -> list[int]:
        return [volume.book.next_offset for volume in self._shelf.volumes.values()]

    def _look(self, index: ScheduleIndex, now_us: int, without: LeftOut) -> _Found:
        """In the index's thread."""
        due: dict[Partition, list[Due]] = defaultdict(list)
        refused: dict[int, str] = {}
        rows = index.due(now_us, _ROWS_AT_ONCE, _BYTES_AT_ONCE, without)
        for topic_id, row in rows:
            schedule = schedule_of(row)
            try:
                times = due_times(schedule, now_us, self._up_since_us, self._zones)
            except ValueError as error:
                refused[topic_id] = f"schedule {schedule.schedule_id} is due, and {error}"
                continue
            due[topic_id, row.partition].append(Due(schedule, times))
        return _Found(due, 0 if rows else index.next_due_us(now_us, without), refused)

    def _refuse(self, topic_id: int, why: str) -> None:
        """As where its log is read: the index needed no reading, and this may be another machine
        than the one where the schedule was made, without its time zone."""
        volume = self._shelf.volumes.get(topic_id)
        if volume is not None and volume.is_ready:
            log.error("topic %s: its schedules are refused: %s", volume.name, why)
            volume.refuse(why)

    async def _fire(self, topic_id: int, number: int, due: list[Due]) -> None:
        volume = self._shelf.volumes.get(topic_id)
        if volume is None or not volume.is_ready:
            return
        await self._firing.fire(volume, number, due)
        with suppress(LogGone, Refused):
            await self._indexer.caught_up(volume)  # else the same rows would be due again
