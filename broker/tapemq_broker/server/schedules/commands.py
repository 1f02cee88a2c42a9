"""What clients may ask of schedules."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from tapemq.batch import BatchError, BodyPrefix
from tapemq_broker.core.effects import Effects, Request
from tapemq_broker.core.inspection import inspect, is_heavy
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.refusal import Refusal, Refused
from tapemq_broker.core.results import ScheduleResult
from tapemq_broker.core.schedules.book import Wish
from tapemq_broker.core.schedules.recurrence import check_due, check_recurrence, next_us
from tapemq_broker.core.schedules.schedule import Recurrence, Schedule, pack_records
from tapemq_broker.server.durability import LogGone
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.schedules.lines import Lines
from tapemq_broker.server.schedules.rows import schedule_of
from tapemq_broker.server.schedules.service import Schedules
from tapemq_broker.server.schedules.shelf import Volume
from tapemq_broker.server.schedules.zones import zone
from tapemq_broker.server.unanswered import LARGE
from tapemq_broker.storage.schedules.index import IndexDamaged, Row, ScheduleIndex

KEY_BYTES_MAX: Final = 1024
_PAGE_BYTES: Final = 1024 * 1024
_Inspected = tuple[BodyPrefix, list[bytes]]
_GONE: Final = Refusal("unknown_topic", "the topic was deleted")


class Job(NamedTuple):
    """Schedules that are to be made. ``due_us`` 0: when its recurrence says."""

    request: Request
    topic_id: int
    partition: int
    body: bytes
    body_checksum: int
    due_us: int
    key: bytes
    recurrence: Recurrence
    later_us: Sequence[int] = (0,)

    @property
    def is_plain(self) -> bool:
        """Whether nothing has to be looked up for it."""
        return not self.key and self.recurrence.is_once


class Name(NamedTuple):
    """How a client names a schedule: by its id, or by its key if there is one."""

    schedule_id: int
    key: bytes


class Page(NamedTuple):
    """Some schedules, of how many, and whether there are more behind them."""

    schedules: list[Schedule]
    more: bool
    total: int


class ScheduleCommands:
    """Scheduling, in order for each topic; cancelling, getting and listing."""

    def __init__(self, engine: Engine, schedules: Schedules) -> None:
        self._engine: Final = engine
        self._schedules: Final = schedules
        self._lines: Final[Lines[Job]] = Lines()
        engine.on_session_closed = self._lines.forget_session

    # Scheduling

    def schedule(self, job: Job) -> None:
        """Make a schedule, and answer when it is on disk."""
        if job.topic_id in self._lines:
            # Its bytes are counted; what it takes beside these may be much more.
            self._engine.unanswered.add(job.request.session, LARGE, lasts=False)
            self._lines.add(job.topic_id, job.request.session, job)
        elif not self._at_once(job):
            self._lines.begin(job.topic_id)
            self._engine.spawn(self._drain(job))

    def _at_once(self, job: Job) -> bool:
        """Do what needs no look into the index; whether it is done."""
        volume = self._schedules.shelf.volumes.get(job.topic_id)
        if volume is None or not job.is_plain or is_heavy(job.body):
            return False
        self._engine.execute(
            job.request, lambda: self._decide(volume, job, self._inspect(job), None)
        )
        self._schedules.indexer.wake(volume)
        return True

    async def _drain(self, first: Job) -> None:
        """Do what takes longer, and what came behind it, one by one: order is kept."""
        job: Job | None = first
        while job is not None:
            if not self._at_once(job):
                await self.answering(job.request, partial(self._schedule, job))
            job = self._lines.next(first.topic_id)
            if job is not None:
                self._engine.unanswered.remove(job.request.session, LARGE, lasts=False)

    async def _schedule(self, job: Job) -> None:
        volume = await self._schedules.volume(job.topic_id)
        inspected = await asyncio.to_thread(self._inspect, job)
        if not job.recurrence.is_once:
            check_recurrence(job.recurrence, zone)
            due_us = await asyncio.to_thread(self._first_us, job)
            job = job._replace(due_us=check_due(due_us))
        replaced = await self._find(volume, Name(0, job.key)) if job.key else None
        self._engine.execute(job.request, lambda: self._decide(volume, job, inspected, replaced))
        self._schedules.indexer.wake(volume)

    def _first_us(self, job: Job) -> int:
        after_us = check_due(job.due_us or self._engine.world.clock.wall_us())
        following_us = next_us(job.recurrence, after_us, after_us, zone)
        if job.recurrence.cron and not following_us:
            # Half a century is searched: when it is due, that would hold up all that is due, too.
            raise Refused("bad_request", f"cron {job.recurrence.cron!r} never comes")
        return job.due_us or following_us

    def _inspect(self, job: Job) -> _Inspected:
        if len(job.key) > KEY_BYTES_MAX:
            raise Refused("bad_request", f"a key has at most {KEY_BYTES_MAX} bytes")
        prefix = inspect(job.body, job.body_checksum, self._engine.core.batch_limits)
        count, times = prefix.record_count, len(job.later_us)
        if count != times:
            raise Refused("bad_request", f"{count} records with {times} times")
        if count > 1 and not job.is_plain:
            raise Refused("bad_request", "one record has a key or recurs, not several")
        try:
            return prefix, pack_records(job.body)
        except BatchError as error:
            raise Refused("bad_batch", str(error)) from None

    def _decide(
        self,
        volume: Volume,
        job: Job,
        inspected: _Inspected,
        replaced: Schedule | None,
    ) -> Effects:
        volume.check_ready()
        topic = self._engine.core.topics.get(job.topic_id)
        topic.partition(job.partition).check_usable()
        prefix, records = inspected
        repeated = volume.book.repeats(prefix)
        if repeated is not None:
            self._engine.spawn(
                self.answering(job.request, partial(self._repeat, job, volume, repeated))
            )
            return []
        due_us = check_due(job.due_us)
        check_due(due_us + max(job.later_us))
        wish = Wish(job.partition, due_us, job.later_us, job.key, job.recurrence, records)
        now_us = self._engine.world.clock.wall_us()
        heard_us = self._engine.age_clock.now_us()
        self._engine.counters.schedules_made += len(records)
        try:
            return volume.book.schedule(job.request, prefix, wish, replaced, now_us, heard_us)
        except BatchError as error:
            raise Refused("batch_too_large", str(error)) from None
        except BadEntry as error:
            raise Refused("bad_request", f"it could not be read again: {error}") from None

    async def _repeat(self, job: Job, volume: Volume, first_id: int) -> None:
        """Answer a retry with what there was made first."""
        ids = range(first_id, first_id + len(job.later_us))
        with self._engine.unanswered.counting(job.request.session, LARGE):
            # Ids are offsets plus one, so this is where the last entry ends.
            await self._schedules.shelf.durable(volume, ids[-1])
        due_us = 0
        for schedule_id, later_us in zip(ids, job.later_us, strict=True):
            found = await self._look(volume, Name(schedule_id, b""))
            if found is not None:
                due_us = found.due_us - later_us
                if due_us <= 0:  # no answer could say it
                    raise Refused("bad_request", "these records were sent with other times before")
                break
        self._engine.reply(job.request, ScheduleResult(first_id, due_us, True, False))

    # Looking

    async def _find(self, volume: Volume, name: Name) -> Schedule | None:
        """What is pending under a name, once it is not firing. Raises LogGone, Refused."""
        while True:
            found = await self._look(volume, name)
            if found is None or not volume.book.is_firing(found.schedule_id):
                return found
            self._schedules.firing.check_going_on(volume, found.partition)
            await volume.changed.wait()
            if volume.is_gone:
                raise LogGone(volume.name)

    async def _look(self, volume: Volume, name: Name) -> Schedule | None:
        """What is pending under a name, firing or not. Raises LogGone, Refused."""
        volume.check_ready()
        row = await self._schedules.runner.run(lambda index: _row(index, volume.topic_id, name))
        if volume.is_gone:
            raise LogGone(volume.name)  # there is no log any more in which it could be changed
        volume.check_ready()
        recent = volume.book.recent
        known = recent.find_key(name.key) if name.key else recent.find(name.schedule_id)
        if known is None and row is not None:
            # By its key it may be another one's in the meantime; by its id it may be gone.
            known = recent.find(row.schedule_id)
        if known is not None:
            return known.schedule
        return schedule_of(row) if row else None

    async def cancel(self, request: Request, topic_id: int, name: Name) -> None:
        """Forget a pending schedule. Raises what answering() answers."""
        volume = self._schedules.known(topic_id)
        found = _pending(await self._find(volume, name), name)
        self._engine.execute(request, lambda: volume.book.cancel(request, found))
        self._schedules.indexer.wake(volume)

    async def get(self, topic_id: int, name: Name) -> Schedule:
        """A pending schedule. Raises what answering() answers."""
        return _pending(await self._look(self._schedules.known(topic_id), name), name)

    async def page(self, topic_id: int, after: tuple[int, int], limit: int) -> Page:
        """Pending schedules behind a time and an id. Raises what answering() answers."""
        self._engine.core.topics.get(topic_id)
        if topic_id not in self._schedules.shelf.volumes:
            return Page([], False, 0)
        volume = self._schedules.known(topic_id)
        await self._schedules.indexer.caught_up(volume)
        rows, more = await self._schedules.runner.run(
            lambda index: _page(index, topic_id, after, limit)
        )
        volume.check_ready()  # else they may be of an index that was emptied meanwhile
        return Page([schedule_of(row) for row in rows], more, volume.book.count)

    async def answering(self, request: Request, work: Callable[[], Awaitable[None]]) -> None:
        """Do something that takes a while; what goes wrong answers the request."""
        try:
            await work()
        except Refused as refused:
            self._engine.reply(request, refused.refusal)
        except LogGone:
            self._engine.reply(request, _GONE)
        except IndexDamaged as damaged:
            self._schedules.damaged(str(damaged))
            text = "the index of schedules is being made anew"
            self._engine.reply(request, Refusal("overloaded", text, 1.0))
        except OSError as error:
            text = f"the index of schedules cannot be used now: {error}"
            self._engine.reply(request, Refusal("overloaded", text, 1.0))


def _row(index: ScheduleIndex, topic_id: int, name: Name) -> Row | None:
    if name.key:
        return index.find_key(topic_id, name.key)
    return index.find(topic_id, name.schedule_id)


def _page(
    index: ScheduleIndex, topic_id: int, after: tuple[int, int], limit: int
) -> tuple[list[Row], bool]:
    # Rows are read with their records, which nobody asks for: others wait meanwhile.
    rows = index.page(topic_id, *after, limit, _PAGE_BYTES)
    if not rows:
        return [], False
    return rows, bool(index.page(topic_id, rows[-1].due_us, rows[-1].schedule_id, 1))


def _pending(found: Schedule | None, name: Name) -> Schedule:
    if found is None:
        what = f"the key {name.key!r}" if name.key else f"the id {name.schedule_id}"
        raise Refused("unknown_schedule", f"no schedule is pending under {what}")
    return found
