"""Brings the index up to what a schedule log says: at start, and when it was lost."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NamedTuple

from tapemq.batch import Kind, iter_batches
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.schedules.book import ActiveFiring, Due
from tapemq_broker.core.schedules.entries import Firing
from tapemq_broker.core.schedules.recent import Placed
from tapemq_broker.core.schedules.recurrence import Times, Zones, next_us
from tapemq_broker.core.schedules.schedule import Schedule
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
    BeginFiring,
    Operation,
    ScheduleIndex,
    TopicState,
)

log = logging.getLogger("tapemq.broker")

_READ_BYTES: Final = 1024 * 1024
_PROGRESS_S: Final = 5.0


class Loading:
    """Reads logs from where the index ends."""

    def __init__(self, engine: Engine, shelf: Shelf, runner: IndexRunner, zones: Zones) -> None:
        self._engine: Final = engine
        self._shelf: Final = shelf
        self._runner: Final = runner
        self._zones: Final = zones

    async def load(self, volume: Volume, *, at_start: bool) -> None:
        """Make a topic's schedules ready. Damage of its log is the topic's alone.

        Raises LogGone, IndexDamaged, OSError.
        """
        volume.begin_loading()
        upto = volume.book.next_offset
        await self._shelf.durable(volume, upto)
        try:
            await self._read(volume, upto)
            if at_start:
                await self._resume(volume)
        except (StorageError, ValueError, Refused) as error:
            volume.damage = str(error)
            log.error("topic %s: its schedules are refused: %s", volume.name, error)
            await self._runner.run(lambda index: index.forget(volume.topic_id))
            return
        volume.indexed_upto = upto
        volume.is_ready = True

    async def _read(self, volume: Volume, upto: int) -> None:
        """Move what the log says below ``upto`` into the index, in bounded pieces."""
        topic_id, source = volume.topic_id, self._engine.logs.data(volume.book.log)
        state = await self._runner.run(lambda index: index.state(topic_id))
        if not source.first_offset <= state.upto <= upto:
            if state != TopicState():
                log.warning("topic %s: the index of schedules is another's", volume.name)
            await self._runner.run(lambda index: index.forget(topic_id))
            state = TopicState(source.first_offset)
        progress = _Progress(self._engine.world.clock.monotonic(), volume.name, state.upto, upto)
        at, hint = state.upto, None
        partitions = self._engine.core.topics.get(topic_id).info.partitions
        check = Check(source.directory, partitions, self._zones)
        while at < upto:
            plan = _plan(source, at, upto, hint)
            piece = await asyncio.to_thread(_read_piece, plan, check)
            at, hint = piece.chunk.next_offset, piece.chunk.hint
            await self._runner.run(_applying(topic_id, at, piece.operations))
            progress = progress.tell(self._engine.world.clock.monotonic(), at)

    async def _resume(self, volume: Volume) -> None:
        """Go on with firings that were interrupted. Raises ValueError, with none resumed."""
        state = await self._runner.run(lambda index: index.state(volume.topic_id))
        firings = [await self._interrupted(volume, begun) for begun in state.firings]
        volume.book.count = state.pending
        for firing in firings:
            volume.book.resume(firing)

    async def _interrupted(self, volume: Volume, begun: BeginFiring) -> ActiveFiring:
        firing = firing_of(begun)
        ids = list(dict.fromkeys(shot.schedule_id for shot in firing.shots))
        topic_id = volume.topic_id
        rows = await self._runner.run(lambda index: [index.find(topic_id, one) for one in ids])
        schedules = [schedule_of(row) for row in rows if row is not None]
        if len(schedules) < len(ids):
            raise ValueError(f"topic {volume.name}: a firing names schedules that are not pending")
        due = [self._due(schedule, firing) for schedule in schedules]
        return ActiveFiring(firing, due, begun.position + 1)

    def _due(self, schedule: Schedule, firing: Firing) -> Due:
        fire_us = [s.due_us for s in firing.shots if s.schedule_id == schedule.schedule_id]
        last_us = fire_us[-1]
        following_us = next_us(schedule.recurrence, last_us, last_us, self._zones)
        return Due(schedule, Times(tuple(fire_us), following_us))


class _Piece(NamedTuple):
    """A part of a log, and what it comes to."""

    chunk: Chunk
    operations: list[Operation]


def _applying(
    topic_id: int, upto: int, operations: list[Operation]
) -> Callable[[ScheduleIndex], None]:
    return lambda index: index.apply(topic_id, upto, operations)


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
