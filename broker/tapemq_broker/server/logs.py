"""The logs of a broker: open ones by their id, one flusher over all of them."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from types import MappingProxyType
from typing import Final

from tapemq.batch import LogId, Role
from tapemq_broker.config import Settings
from tapemq_broker.core.effects import Append, Deliver, Journal, PutState
from tapemq_broker.core.results import TopicInfo
from tapemq_broker.core.topics import CATALOG
from tapemq_broker.server.disk_turns import DiskTurns
from tapemq_broker.server.log_store import LogStore, Opened
from tapemq_broker.server.state_changes import FEW_ENTRIES, Changes, StateChanges, batches_of
from tapemq_broker.server.world import World
from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.errors import LogFull
from tapemq_broker.storage.flusher import Flusher
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.reading import ReadPlan
from tapemq_broker.storage.record_log import NewBatch
from tapemq_broker.storage.state_log import StateLog

_FULL_RETRY_S = 1.0
_NOTHING: Final[Mapping[bytes, bytes | None]] = MappingProxyType({})
_ROOM_BYTES: Final = 64 * 1024
"""Far more than a change that belongs to others takes in one log, a new segment included."""

_MARKS_AT_ONCE = 128
"""Thousands of logs that come to rest together must not keep the event loop: 15 µs each."""


_SYNCED_AT_ONCE = 64
"""Thousands of logs whose files are closed must not be opened all at once."""


class Logs:
    """Everything on disk. Appends and state go through here, so the flusher knows of them.

    ``store``: how logs are opened and made, before they are taken into use here.
    """

    def __init__(self, world: World, directory: DataDirectory, settings: Settings) -> None:
        self._world = world
        self.store = LogStore(world, directory, settings)
        self._data: dict[LogId, Log] = {}
        self._states: dict[LogId, StateLog] = {}
        self._schedules: dict[LogId, Log] = {}
        # Changes that a full disk did not take; they go with the next round of syncs.
        self._unwritten: dict[LogId, dict[bytes, bytes | None]] = {}
        # Topics with answers that wait until nothing of the topic is missing in its logs.
        self._untold: set[int] = set()
        self.on_durable: Callable[[LogId, int], None] = lambda log_id, offset: None
        # The core's changes of state: how to get them, and who is told of topics without any left.
        self.take_changes: Callable[[LogId], Changes] = lambda log_id: {}
        # Whoever is told says for which logs of the topic somebody waits.
        self.on_written: Callable[[int], Collection[LogId]] = lambda topic_id: ()
        self._changes = StateChanges(
            lambda log_id: self.take_changes(log_id),
            lambda log_id, changes: self._write_state(log_id, world.clock.wall_us(), changes),
        )
        self.flusher: Flusher[Log] = Flusher(
            world.disk, self._durable, world.fatal, self._prepare_round
        )
        self.turns = DiskTurns(settings.sync_round_bytes, self.flusher.when_idle)
        self._synced_at: dict[LogId, float] = {}
        self._catalog_waiters: list[tuple[int, asyncio.Event]] = []

    # Taking into use, and letting go

    def add(self, opened: list[Opened]) -> None:
        """Take logs into use."""
        for data, groups, _ in opened:
            self._data[data.log_id] = data
            self.add_state(groups)

    def add_state(self, state: StateLog) -> None:
        """Take the catalog or a group log into use."""
        self._states[state.log.log_id] = state

    def add_data(self, log: Log) -> None:
        """Take the records of a partition, or the schedules of a topic, into use."""
        logs = self._schedules if log.log_id.role is Role.SCHEDULE else self._data
        logs[log.log_id] = log

    def give_up_state(self, state: StateLog) -> None:
        """Close one that was not written to since it was taken into use."""
        del self._states[state.log.log_id]
        state.close(clean=False, now_us=self._world.clock.wall_us())

    def catalog(self) -> Mapping[bytes, bytes]:
        """The entries of the catalog, as it is written."""
        return self._states[CATALOG].entries

    def in_use(self) -> set[LogId]:
        """All logs that could be opened."""
        return {*self._data, *self._states, *self._schedules}

    def reconfigure(self, info: TopicInfo) -> None:
        """Apply a topic's settings to its logs."""
        segment_bytes = self.store.settings_of(info).segment_bytes
        for partition in range(info.partitions):
            log = self._data.get(LogId(info.topic_id, partition, Role.DATA))
            if log is not None:
                log.resize_segments(segment_bytes)

    def forget_topic(self, info: TopicInfo) -> list[LogId]:
        """Stop using a topic's logs; which they were."""
        of_topic = [
            LogId(info.topic_id, partition, role)
            for role in (Role.DATA, Role.GROUPS)
            for partition in range(info.partitions)
        ]
        of_topic.append(LogId(info.topic_id, 0, Role.SCHEDULE))
        in_use = (self._data, self._states, self._schedules)
        gone = [log_id for log_id in of_topic if any(log_id in logs for logs in in_use)]
        for log_id in gone:
            data = self._data.pop(log_id, None) or self._schedules.pop(log_id, None)
            log = data or self._states.pop(log_id)
            self._unwritten.pop(log_id, None)
            self._untold.discard(log_id.topic_id)
            self._synced_at.pop(log_id, None)
            self._changes.forget(log_id)
            self.flusher.forget(log.log if isinstance(log, StateLog) else log)
            log.close(clean=False, now_us=self._world.clock.wall_us())
        return gone

    def close(self) -> list[CleanEntry]:
        """Close everything after the last sync; what the CLEAN file is to say."""
        now_us = self._world.clock.wall_us()
        data = [*self._data.values(), *self._schedules.values()]
        logs: list[Log | StateLog] = [*data, *self._states.values()]
        entries = [log.close(clean=True, now_us=now_us) for log in logs]
        return [entry for entry in entries if entry is not None]

    # Writing

    def append(self, effect: Append | Journal, now_us: int) -> int:
        """Append a batch; its base offset. Raises LogFull, LogFailed."""
        if self._unwritten.get(CATALOG):
            # It may be this very topic that the catalog does not know yet: a crash would lose it.
            self._write_state(CATALOG, now_us)
        log = self.data(effect.log)
        batch = NewBatch(effect.kind, effect.record_count, effect.body, effect.body_checksum)
        base_offset = log.append(batch, now_us)
        self.turns.appended(len(effect.body))  # before the round may begin that covers it
        self.flusher.dirty(log)
        return base_offset

    def roll(self, log: Log) -> None:
        """Begin a new segment of a log; another time, if the disk is full. Raises LogFailed."""
        with suppress(LogFull):
            if log.roll():
                self.flusher.dirty(log)

    def put_state(self, log_id: LogId, changes: Mapping[bytes, bytes | None], now_us: int) -> None:
        """Write entries of a state log. What a full disk refuses is kept for the next time."""
        if self._changes.add_to_kept(log_id, changes):
            return
        try:
            self._write_state(log_id, now_us, changes)
        except LogFull:
            self._unwritten.setdefault(log_id, {}).update(changes)

    def put_all(self, puts: Sequence[PutState], now_us: int) -> None:
        """Write entries of state logs: all, or none. Raises LogFull.

        Several logs are not begun where the disk may not have room for all of them: what one took
        before another refused would be taken back, unless a crash comes first.
        """
        if len(puts) > 1 and self._world.disk.free_bytes() < len(puts) * _ROOM_BYTES:
            raise LogFull("there may be no room for all that belongs together")
        with self.flusher.held():
            self._put_all(puts, now_us)

    def _put_all(self, puts: Sequence[PutState], now_us: int) -> None:
        for put in puts:
            self._changes.write_kept(put.log)  # else it would undo this later
        written: list[PutState] = []
        for put in puts:
            before = {key: self.last_value(put.log, key) for key in put.changes}
            try:
                self._write_state(put.log, now_us, put.changes)
            except LogFull:
                for undo in written:
                    self.put_state(undo.log, undo.changes, now_us)
                raise
            written.append(PutState(put.log, before))

    def last_value(self, log_id: LogId, key: bytes) -> bytes | None:
        """The value of an entry of a state log; None if there is none."""
        unwritten = self._unwritten.get(log_id, {})
        return unwritten[key] if key in unwritten else self._states[log_id].entries.get(key)

    def _write_state(
        self, log_id: LogId, now_us: int, changes: Mapping[bytes, bytes | None] = _NOTHING
    ) -> None:
        """Write what a full disk did not take before, and changes, all in one batch unless that
        is much. Raises LogFull; of the changes, nothing is written then.
        """
        state = self._states[log_id]
        end = state.log.next_offset
        try:
            unwritten = self._unwritten.get(log_id, {})
            if len(unwritten) > FEW_ENTRIES:
                for batch in batches_of(unwritten):
                    state.put(batch, now_us)
                unwritten = {}
            if both := {**unwritten, **changes}:
                state.put(both, now_us)
            self._unwritten.pop(log_id, None)
        finally:
            if state.log.next_offset > end:
                # Not before: it may begin a round, which writes what is unwritten, and would undo
                # what is newer.
                self.flusher.dirty(state.log)

    def state_changed(self, log_id: LogId) -> None:
        """The core has changed what it keeps in a state log: see write_soon()."""
        if log_id in self._states:
            self._changes.note(log_id)

    def write_soon(self) -> None:
        """Write what has changed right before the next round of syncs, however full the disk."""
        if self._changes or self._unwritten:
            self.flusher.wake()

    def _prepare_round(self) -> None:
        self.turns.round_begins()
        self._write_changes()

    def _write_changes(self) -> None:
        if self._changes:
            self._untold |= self._changes.write()
        with suppress(LogFull):
            self._write_unwritten(list(self._unwritten))
        missing = {log_id.topic_id for log_id in self._unwritten}
        for topic_id in self._untold - missing:
            if not self._changes.holds_back(topic_id):
                self._untold.discard(topic_id)
                self._tell_written(topic_id)

    def _write_unwritten(self, log_ids: Iterable[LogId]) -> None:
        now_us = self._world.clock.wall_us()
        for log_id in log_ids:
            self._write_state(log_id, now_us)

    def _tell_written(self, topic_id: int) -> None:
        for log_id in self.on_written(topic_id):
            log = self._log(log_id)
            if log.durable_offset == log.next_offset:
                # Nothing is new in it, but its answers stand for logs that this round syncs.
                self.flusher.again(log)

    def state_end(self, log_id: LogId) -> int | None:
        """The offset behind all that was put in a state log; None: not all of it is in yet.

        Nor is it while another log of the same topic misses something: one answer may stand for
        changes in several. on_written() will tell when nothing is missing any more.
        """
        topic_id = log_id.topic_id
        if self._changes.holds_back(topic_id) or topic_id in self._untold:
            return None
        try:
            self._write_unwritten([other for other in self._unwritten if other[0] == topic_id])
        except LogFull:
            self._untold.add(topic_id)
            return None
        return self._log(log_id).next_offset

    def _durable(self, log: Log, offset: int) -> None:
        self._synced_at.pop(log.log_id, None)
        self._synced_at[log.log_id] = self._world.clock.monotonic()  # the latest comes last
        if log.has_unsynced_caches:
            self.flusher.dirty(log)
        if log.log_id == CATALOG:
            for end, event in self._catalog_waiters:
                if end <= offset:
                    event.set()
            self._catalog_waiters = [entry for entry in self._catalog_waiters if entry[0] > offset]
        self.on_durable(log.log_id, offset)

    def sync_catalog(self) -> None:
        """Have what was written to the catalog by others than this made durable."""
        self.flusher.dirty(self._states[CATALOG].log)

    async def catalog_durable(self) -> None:
        """Wait until the catalog is on disk as it is now, however long the disk is full."""
        while self._unwritten.get(CATALOG):
            try:
                self._write_state(CATALOG, self._world.clock.wall_us())
            except LogFull:
                await asyncio.sleep(_FULL_RETRY_S)
        catalog = self._states[CATALOG].log
        if catalog.durable_offset < catalog.next_offset:
            event = asyncio.Event()
            self._catalog_waiters.append((catalog.next_offset, event))
            await event.wait()

    async def all_durable(self) -> None:
        """Wait until everything is on disk; there must be an end to what is written."""
        self.write_soon()
        await self._idle()
        logs = [*self._data.values(), *(state.log for state in self._states.values())]
        # A mark: nobody waits for it, so no round was asked for, and its file may be closed again.
        marked = [log for log in logs if log.is_dirty]
        for first in range(0, len(marked), _SYNCED_AT_ONCE):
            for log in marked[first : first + _SYNCED_AT_ONCE]:
                # A topic that goes meanwhile has taken its files with it.
                if log.log_id in self._data or log.log_id in self._states:
                    self.flusher.dirty(log)
            await self._idle()

    async def _idle(self) -> None:
        idle = asyncio.Event()
        self.flusher.when_idle(idle.set)
        await idle.wait()

    def mark_all(self) -> None:
        """Note in every log that all of it is durable; the marks go with the next round."""
        now_us = self._world.clock.wall_us()
        for log in [*self._data.values(), *(state.log for state in self._states.values())]:
            with suppress(LogFull):
                log.mark(now_us)

    def mark_idle(self, now: float, idle_s: float, now_us: int) -> None:
        """Note in logs that had a sync and then rest: all of it is durable."""
        for log_id, synced_at in list(islice(self._synced_at.items(), _MARKS_AT_ONCE)):
            if now - synced_at < idle_s:
                return
            del self._synced_at[log_id]
            try:
                self._log(log_id).mark(now_us)
            except LogFull:
                self._synced_at[log_id] = now  # a mark is not urgent: it is tried again
                return

    # Reading and looking

    def _log(self, log_id: LogId) -> Log:
        log = self._data.get(log_id) or self._schedules.get(log_id)
        return log if log is not None else self._states[log_id].log

    def data(self, log_id: LogId) -> Log:
        """The records of a partition, or the schedules of a topic. Raises KeyError."""
        return self._data.get(log_id) or self._schedules[log_id]

    def data_logs(self) -> list[tuple[LogId, Log]]:
        """All partitions' records."""
        return list(self._data.items())

    def plan(self, wish: Deliver, hint: object) -> ReadPlan:
        """Prepare a read. Raises OffsetOutOfRange.

        A wish may end inside a batch, where credit does; what is durable never does.
        """
        log = self._data[wish.log]
        return log.plan(
            wish.offset,
            upto=log.durable_offset,
            max_bytes=wish.max_bytes,
            max_records=wish.upto - wish.offset,
            hint=hint,
        )

    def next_offset(self, log_id: LogId) -> int:
        """The first offset not assigned."""
        return self._log(log_id).next_offset

    def durable_offset(self, log_id: LogId) -> int:
        """Everything below is on disk."""
        return self._log(log_id).durable_offset

    def truncate_front(self, log_id: LogId, offset: int) -> int:
        """Remove whole segments below ``offset``; the first offset that is left."""
        log = self.data(log_id)
        log.truncate_front(offset)
        if log.has_unsynced_caches:
            self.flusher.dirty(log)
        return log.first_offset

    @property
    def newest_us(self) -> int:
        """When something was appended last, as far as the logs know."""
        logs = [*self._data.values(), *(state.log for state in self._states.values())]
        return max((log.last_append_time_us for log in logs), default=0)
