"""Brings the index up to what a schedule log says: at start, and when it was lost."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NamedTuple

from tapemq.batch import Kind, iter_batches
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.schedules.book import ActiveFiring, Due
from tapemq_broker.core.schedules.entries import Firing
from tapemq_broker.core.schedules.recent import Placed, Recent
from tapemq_broker.core.schedules.recurrence import Times, Zones, next_us
from tapemq_broker.core.schedules.schedule import Schedule
from tapemq_broker.server.durability import LogGone
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.schedules.check import Check
from tapemq_broker.server.schedules.index_runner import IndexRunner
from tapemq_broker.server.schedules.rows import firing_of, operations, schedule_of
from tapemq_broker.server.schedules.shelf import Shelf, Volume
from tapemq_broker.storage.errors import StorageError
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.reading import ReadPlan
from tapemq_broker.storage.record_log import Chunk
from tapemq_broker.storage.schedules.index import (
    IndexDamaged,
    Operation,
    ScheduleIndex,
    TopicState,
)

log = logging.getLogger("tapemq.broker")

_READ_BYTES: Final = 1024 * 1024
_PROGRESS_S: Final = 5.0
_PIECES_AT_ONCE: Final = 4
"""So many are in memory, however many topics are read; those with much to read make none wait."""


class Loading:
    """Reads logs from where the index ends."""

    def __init__(self, engine: Engine, shelf: Shelf, runner: IndexRunner, zones: Zones) -> None:
        self._engine: Final = engine
        self._shelf: Final = shelf
        self._runner: Final = runner
        self._zones: Final = zones
        self._pieces: Final = asyncio.Semaphore(_PIECES_AT_ONCE)

    async def load(self, volume: Volume) -> list[int]:
        """Make a topic's schedules ready, unless the index is to be made anew meanwhile.

        Returns the partitions that were firing when the broker ended, the first time. Damage of
        its log is the topic's alone. Raises LogGone, IndexDamaged, OSError.
        """
        reading = _Reading.begin(volume)
        await self._shelf.durable(volume, reading.upto)
        try:
            is_anew = await self._read(reading)
            state = await self._runner.run(lambda index: index.state(volume.topic_id))
            firings = [] if volume.is_resumed else await self._interrupted(volume, state)
        except _NotPending as error:
            if reading.is_current and not is_anew:
                raise IndexDamaged(str(error)) from None
            return await self._refuse(reading, error)
        except (StorageError, ValueError, Refused) as error:
            return await self._refuse(reading, error)
        if not reading.is_current:
            return []
        for firing in firings:
            volume.book.resume(firing)
        volume.book.count += state.pending - reading.pending
        volume.indexed_upto = reading.upto
        volume.is_ready = volume.is_resumed = True
        return [firing.entry.partition for firing in firings]

    async def _refuse(self, reading: "_Reading", error: Exception) -> list[int]:
        volume = reading.volume
        if volume.topic_id not in self._engine.core.topics.by_id:
            raise LogGone(volume.name) from error  # nothing is wrong: it is being deleted
        if reading.is_current:
            volume.damage = str(error)
            log.error("topic %s: its schedules are refused: %s", volume.name, error)
            await self._runner.run(lambda index: index.forget(volume.topic_id))
        return []

    async def _read(self, reading: "_Reading") -> bool:
        """Move what the log says into the index, in bounded pieces. Whether that was all of it."""
        if not reading.is_current:
            return False
        volume, upto = reading.volume, reading.upto
        topic_id, source = volume.topic_id, self._engine.logs.data(volume.book.log)
        state = await self._runner.run(lambda index: index.state(topic_id))
        if not source.first_offset <= state.upto <= upto:
            if state != TopicState():
                log.warning("topic %s: the index of schedules is another's", volume.name)
            await self._runner.run(lambda index: index.forget(topic_id))
            state = TopicState(source.first_offset)
        progress = _Progress(self._engine.world.clock.monotonic(), volume.name, state.upto, upto)
        begin = at = state.upto
        hint = None
        partitions = self._engine.core.topics.get(topic_id).info.partitions
        check = Check(source.directory, partitions, self._zones)
        while at < upto and reading.is_current:
            async with self._pieces:
                piece = await asyncio.to_thread(_read_piece, _plan(source, at, upto, hint), check)
                at, hint = piece.chunk.next_offset, piece.chunk.hint
                await self._runner.run(_applying(reading, at, piece.operations))
            progress = progress.tell(self._engine.world.clock.monotonic(), at)
        return begin <= source.first_offset

    async def _interrupted(self, volume: Volume, state: TopicState) -> list[ActiveFiring]:
        """Firings that are to be gone on with. Raises _NotPending, IndexDamaged."""
        # All of them before another call of the index: by then it may be one that is made anew.
        begun = [(firing_of(one), one.position + 1) for one in state.firings]
        return [await self._active(volume, *one) for one in begun]

    async def _active(self, volume: Volume, firing: Firing, next_offset: int) -> ActiveFiring:
        ids = list(dict.fromkeys(shot.schedule_id for shot in firing.shots))
        topic_id = volume.topic_id
        rows = await self._runner.run(lambda index: [index.find(topic_id, one) for one in ids])
        schedules = [schedule_of(row) for row in rows if row is not None]
        if len(schedules) < len(ids):
            raise _NotPending(f"topic {volume.name}: a firing names schedules that are not pending")
        due = [self._due(schedule, firing) for schedule in schedules]
        return ActiveFiring(firing, due, next_offset)

    def _due(self, schedule: Schedule, firing: Firing) -> Due:
        fire_us = [s.due_us for s in firing.shots if s.schedule_id == schedule.schedule_id]
        last_us = fire_us[-1]
        following_us = next_us(schedule.recurrence, last_us, last_us, self._zones)
        return Due(schedule, Times(tuple(fire_us), following_us))


class _NotPending(Exception):
    """The index lacks what it says is being fired. If all of the log was read into it, that is the
    log's fault; else its own."""


class _Reading(NamedTuple):
    """One reading of a topic's log: from where the index ends to where the log did then."""

    volume: Volume
    recent: Recent
    upto: int
    pending: int

    @classmethod
    def begin(cls, volume: Volume) -> "_Reading":
        volume.begin_loading()
        book = volume.book
        return cls(volume, book.recent, book.next_offset, book.count)

    @property
    def is_current(self) -> bool:
        """Whether the index is still the one that it began with, and the topic there."""
        return self.volume.book.recent is self.recent and not self.volume.is_gone


class _Piece(NamedTuple):
    """A part of a log, and what it comes to."""

    chunk: Chunk
    operations: list[Operation]


def _applying(
    reading: _Reading, upto: int, operations: list[Operation]
) -> Callable[[ScheduleIndex], None]:
    def apply(index: ScheduleIndex) -> None:
        # In an index that was emptied meanwhile this would hide what comes before it.
        if reading.is_current:
            index.apply(reading.volume.topic_id, upto, operations)

    return apply


def _plan(source: Log, at: int, upto: int, hint: object) -> ReadPlan:
    return source.plan(at, upto=upto, max_bytes=_READ_BYTES, hint=hint)


def _read_piece(plan: ReadPlan, check: Check) -> _Piece:
    chunk = plan.run(wait=True)
    if chunk is None:
        raise RuntimeError("a read that may wait did not")
    placed = [
        Placed(offset, entry)
        for header, body in iter_batches(chunk.data)
        if header.kind is Kind.SCHEDULE
        for offset, entry in enumerate(check.entries(header, body), header.base_offset)
    ]
    return _Piece(chunk, list(operations(placed)))


class _Progress(NamedTuple):
    """What was told last of a reading that takes long."""

    told_at: float
    name: str
    first: int
    upto: int

    def tell(self, now: float, at: int) -> "_Progress":
        if now - self.told_at < _PROGRESS_S:
            return self
        read, all_of_it = at - self.first, self.upto - self.first
        log.info(
            "topic %s: %d of %d entries of its schedule log are read", self.name, read, all_of_it
        )
        return self._replace(told_at=now)
