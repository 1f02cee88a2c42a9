"""Schedules as the rest of the server sees them: their logs, start and stop."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Final

from tapemq.batch import LogId
from tapemq_broker.core.effects import PutState
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import TopicInfo
from tapemq_broker.core.topics import CATALOG, schedule_key
from tapemq_broker.server.durability import LogGone
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.flow import Flow
from tapemq_broker.server.observer import ProducersObserver
from tapemq_broker.server.schedules.alarm import Alarm
from tapemq_broker.server.schedules.firing import Firing
from tapemq_broker.server.schedules.index_builder import IndexBuilder
from tapemq_broker.server.schedules.index_runner import IndexRunner
from tapemq_broker.server.schedules.indexer import Indexer
from tapemq_broker.server.schedules.loading import Loading
from tapemq_broker.server.schedules.shelf import Shelf, Volume
from tapemq_broker.server.schedules.zones import zone
from tapemq_broker.server.side_by_side import side_by_side
from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.errors import CorruptLog, LogFull, LogRefused
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.refusal import is_passing
from tapemq_broker.storage.schedules.index import IndexDamaged, Inspection, ScheduleIndex

log = logging.getLogger("tapemq.broker")

_LOOK_AGAIN_S: Final = 60.0
"""After a look at the whole index that the disk has failed: it may take long each time."""


class Schedules:
    """All parts of it, joined."""

    def __init__(self, engine: Engine, flow: Flow) -> None:
        self._engine: Final = engine
        self.runner: Final = IndexRunner(engine.world.schedule_index, engine.world.make_threads)
        self.shelf: Final = Shelf(engine)
        loading = Loading(engine, self.shelf, self.runner, zone)
        self._builder: Final = IndexBuilder(engine, self.shelf, self.runner, loading, self._loaded)
        self.indexer: Final = Indexer(
            engine, self.shelf, self.runner, lambda due_us: self.alarm.due_at(due_us), self.damaged
        )
        self.firing: Final = Firing(engine, self.shelf, self.indexer)
        self.alarm: Final = Alarm(
            engine, flow, self.shelf, self.runner, self.indexer, self.firing, zone, self.damaged
        )
        # Topics whose schedule log is being made: their files are not to be removed meanwhile.
        self._making: Final[dict[int, asyncio.Event]] = {}
        self._opening: Final = Lock()
        self._inspection: Inspection | None = None
        self._stopping: Final = asyncio.Event()
        engine.on_topic_prepared = self._topic_prepared
        engine.on_topic_removed = self._topic_removed

    # Start and stop

    def open_logs(self, clean: Mapping[LogId, CleanEntry]) -> list[Log]:
        """Open the schedule logs of all topics; blocks. Those that could be opened.

        Also those that the catalog has forgotten, in a repair or because it is an older copy.
        """
        found: list[tuple[Volume, TopicInfo]] = []
        for topic in self._engine.core.topics.by_id.values():
            if self._is_in_catalog(topic.info.topic_id) or self._engine.logs.store.has_schedules(
                topic.info
            ):
                volume = Volume(topic.info.topic_id, topic.info.name, self.shelf.backlog)
                self.shelf.volumes[volume.topic_id] = volume
                found.append((volume, topic.info))
        threads = self._engine.world.recovery_threads
        opened = side_by_side(lambda one: self._open(*one, clean), found, threads)
        return [made for made in opened if made is not None]

    def logs(self) -> set[LogId]:
        """The schedule logs that there are, those that are refused too."""
        return {volume.book.log for volume in self.shelf.volumes.values()}

    def _is_in_catalog(self, topic_id: int) -> bool:
        return self._engine.logs.last_value(CATALOG, schedule_key(topic_id)) is not None

    def _open(
        self, volume: Volume, info: TopicInfo, clean: Mapping[LogId, CleanEntry]
    ) -> Log | None:
        """In any thread."""
        try:
            must_exist = self._is_in_catalog(info.topic_id)
            of_stop = clean.get(volume.book.log)
            made = self._open_log(volume, info, of_stop, must_exist=must_exist)
        except (LogRefused, CorruptLog) as refused:
            volume.damage = str(refused)
            told = self._engine.logs.store.told(refused)
            log.error("topic %s: its schedules are refused: %s", info.name, told)
            return None
        volume.book.next_offset = made.next_offset
        with self._opening:
            self._engine.logs.add_data(made)
        return made

    def start(self) -> None:
        """Read what the index does not say yet, then fire what is due."""
        for volume in self.shelf.volumes.values():
            if not volume.damage:
                self._note_in_catalog(volume)
                self._builder.begin(volume)
        if self.shelf.volumes:
            self._engine.spawn(self._tidy())
        self.alarm.start()

    def _note_in_catalog(self, volume: Volume) -> None:
        if not self._is_in_catalog(volume.topic_id):
            log.warning("topic %s: the catalog did not know that it has schedules", volume.name)
            now_us = self._engine.world.clock.wall_us()
            self._engine.logs.put_state(CATALOG, {schedule_key(volume.topic_id): b""}, now_us)

    def _loaded(self, volume: Volume, interrupted: Sequence[int]) -> None:
        self.indexer.wake(volume)
        self.alarm.due_at(0)
        if interrupted:
            self._engine.spawn(self._finish(volume, interrupted))

    async def _finish(self, volume: Volume, interrupted: Sequence[int]) -> None:
        """Go on with firings that were under way when the broker ended."""
        with suppress(LogGone):
            for number in interrupted:
                await self.firing.finish(volume, number)
        self.alarm.due_at(0)

    async def _tidy(self) -> None:
        """Forget what the index says of topics that are gone, and look whether it is whole."""
        while not self.firing.is_stopping:
            try:
                await self._look_at_index()
                break
            except IndexDamaged as damaged:
                self.damaged(str(damaged))
                break
            except OSError as error:
                log.warning("the index of schedules is looked at again later: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await self._stopping.wait()

    async def _look_at_index(self) -> None:
        known = set(self.shelf.volumes)

        def forget(index: ScheduleIndex) -> Inspection | None:
            for topic_id in set(index.topics()) - known:
                index.forget(topic_id)
            return index.inspection()

        self._inspection = await self.runner.run(forget)
        if self._inspection is not None and not self.firing.is_stopping:
            await asyncio.to_thread(self._inspection.run)

    def stop(self) -> None:
        """Begin nothing more."""
        self.firing.is_stopping = True
        self._stopping.set()
        if self._inspection is not None:
            self._inspection.give_up()
        self.alarm.stop()

    async def close(self) -> None:
        """Let go of the index, when nothing runs any more."""
        await self.runner.close()

    # What happens to the index, and to topics

    def damaged(self, why: str) -> None:
        """The index is to be made anew from the logs."""
        self._builder.damaged(why)

    def _topic_prepared(self) -> None:
        if self.firing.find_missing():
            self.alarm.due_at(0)  # nothing else may be due that would have it looked at

    async def _topic_removed(self, topic_id: int) -> None:
        if topic_id in self._making:
            await self._making[topic_id].wait()
        volume = self.shelf.volumes.pop(topic_id, None)
        if volume is None:
            return
        volume.is_gone = True
        volume.book.recent.discard()
        volume.notify()
        now_us = self._engine.world.clock.wall_us()
        self._engine.logs.put_state(CATALOG, {schedule_key(topic_id): None}, now_us)
        self._engine.spawn(self._forget(topic_id))

    async def _forget(self, topic_id: int) -> None:
        with suppress(OSError, IndexDamaged):  # the next start forgets it
            await self.runner.run(lambda index: index.forget(topic_id))

    # A topic's first schedule

    async def volume(self, topic_id: int) -> Volume:
        """The volume of a topic, which is made if need be; asked for one by one for each topic.

        Raises Refused.
        """
        if topic_id not in self.shelf.volumes:
            await self._make(self._engine.core.topics.get(topic_id).info)
        return self.known(topic_id)

    def known(self, topic_id: int) -> Volume:
        """The volume of a topic that has one. Raises Refused."""
        name = self._engine.core.topics.get(topic_id).info.name
        volume = self.shelf.volumes.get(topic_id)
        if volume is None:
            raise Refused("unknown_schedule", f"topic {name!r} has no schedules")
        volume.check_ready()
        return volume

    async def _make(self, info: TopicInfo) -> None:
        """Make a schedule log; the catalog knows it before anything is in it."""
        volume = Volume(info.topic_id, info.name, self.shelf.backlog)
        try:
            open_log = partial(self._open_log, volume, info, None, must_exist=False)
            made = await self._in_thread(info.topic_id, open_log)
            put = PutState(CATALOG, {schedule_key(info.topic_id): b""})
            if info.topic_id in self._engine.core.topics.by_id:
                self._engine.logs.put_all([put], self._engine.world.clock.wall_us())
        except (LogRefused, CorruptLog) as refused:
            raise Refused("storage_failed", str(refused)) from None
        except (LogFull, OSError) as error:
            if isinstance(error, OSError) and not is_passing(error):
                self._engine.world.fatal(f"the schedule log of {info.name} cannot be made: {error}")
            raise self._engine.shortage.not_made("a schedule log", error) from None
        if info.topic_id in self._engine.core.topics.by_id:
            self._engine.logs.add_data(made)
            self.shelf.volumes[info.topic_id] = volume
            volume.book.next_offset = made.next_offset
            await self._builder.load(volume)
        else:
            made.close(clean=False, now_us=self._engine.world.clock.wall_us())

    async def _in_thread(self, topic_id: int, open_log: Callable[[], Log]) -> Log:
        self._making[topic_id] = done = asyncio.Event()
        try:
            return await asyncio.to_thread(open_log)
        finally:
            del self._making[topic_id]
            done.set()

    def _open_log(
        self, volume: Volume, info: TopicInfo, clean: CleanEntry | None, *, must_exist: bool
    ) -> Log:
        observer = ProducersObserver(volume.book.producers)
        return self._engine.logs.store.open_schedules(
            info, observer=observer, clean=clean, must_exist=must_exist
        )
