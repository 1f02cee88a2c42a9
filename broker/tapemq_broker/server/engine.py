"""Carries effects out, in order: appends, state, answers, deliveries."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final

from tapemq.batch import LogId, Role
from tapemq.wire import messages as m
from tapemq_broker.core import effects as e
from tapemq_broker.core.broker import Broker
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.refusal import Refusal, Refused
from tapemq_broker.core.results import PublishResult, Result, TopicInfo
from tapemq_broker.core.topics import entry
from tapemq_broker.server import translate
from tapemq_broker.server.counters import Counters
from tapemq_broker.server.deliveries import Deliveries
from tapemq_broker.server.disk_reads import DiskReads
from tapemq_broker.server.durability import Durability
from tapemq_broker.server.held_publishes import HeldPublishes
from tapemq_broker.server.key_reads import KeyReads
from tapemq_broker.server.leases import Leases
from tapemq_broker.server.log_store import Opened
from tapemq_broker.server.logs import Logs
from tapemq_broker.server.measuring import measure
from tapemq_broker.server.read_retries import ReadRetries
from tapemq_broker.server.receipts import Receipts
from tapemq_broker.server.removals import Removals
from tapemq_broker.server.rising_clock import RisingClock
from tapemq_broker.server.sessions import Sessions
from tapemq_broker.server.settlements import Settlements
from tapemq_broker.server.shortage import Shortage
from tapemq_broker.server.steady_clock import SteadyClock
from tapemq_broker.server.unanswered import Unanswered
from tapemq_broker.server.world import World
from tapemq_broker.storage.errors import CorruptLog, LogFull, LogRefused
from tapemq_broker.storage.refusal import is_passing

log = logging.getLogger("tapemq.broker")

MAKERS: Final = 3
"""Topics that are made at the same time, in threads, of which there are five at least: others that
need one would wait behind those of thousands of partitions."""
STREAM_READS: Final = 8
QUEUE_READS: Final = 4
"""At once, where they have to wait for the disk. Those of queues also decode what they read."""


class Engine:
    """The core, its logs and its sessions, joined."""

    def __init__(self, world: World, core: Broker, logs: Logs, sessions: Sessions) -> None:
        self.world = world
        self.core = core
        self.logs = logs
        self.sessions = sessions
        # What is due at a time is so by this clock. It goes on from before the start: what waits
        # since a record failed would else wait longer, if the wall clock has been set back.
        newest_us = max(logs.newest_us, core.queues.groups.newest_us())
        self.due_clock = RisingClock(world.clock, newest_us)
        # What is forgotten with age is so by this clock.
        self.age_clock = SteadyClock(world.clock)
        self.unanswered = Unanswered(self._crowded)
        self.receipts = Receipts(self.unanswered)
        self.held = HeldPublishes(self.unanswered)
        self.removals = Removals(world, logs)
        self.durability = Durability()
        self.on_topic_prepared: Callable[[], None] = lambda: None
        self.on_topic_removed: Callable[[int], Awaitable[None]] = _not_told
        self.on_session_closed: Callable[[int], None] = lambda number: None
        self._has_changed = False
        self.shortage = Shortage(world.clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._makers: Final = asyncio.Semaphore(MAKERS)
        self.settlements = Settlements(self._queues_left)
        self._loop = asyncio.get_running_loop()
        ways = (self.run, self.spawn, ReadRetries(self.shortage, self.spawn))
        reads = DiskReads(STREAM_READS, world.make_threads)
        self._deliveries = Deliveries(core.streams, logs, sessions, reads, *ways)
        reads = DiskReads(QUEUE_READS, world.make_threads)
        self.leases = Leases(core, logs, sessions, world.clock, self.due_clock, reads, *ways)
        self._key_reads = KeyReads(core.queues, logs, sessions.counters, reads, *ways)
        self._carry: Final = self._carriers()
        logs.on_durable = self._durable
        logs.on_written = self._written
        logs.take_changes = core.take_changes
        sessions.is_overrun = self.unanswered.is_overrun
        sessions.on_closed = self._session_closed
        sessions.on_unparked = self._unparked

    def _carriers(self) -> dict[type, Callable[[Any], None]]:
        """What is done with each kind of effect."""
        return {
            e.Append: self._append,
            e.PutState: self._put_state,
            e.Change: self._change,
            e.Journal: self._journal,
            e.Reply: self._reply,
            e.ReplyWhenDurable: self._reply_when_durable,
            e.WhenDurable: self._when_durable,
            e.Later: lambda effect: self.spawn(self._later(effect)),
            e.StateChanged: self._state_changed,
            e.Deliver: self._deliver,
            e.Assign: self._push,
            e.Revoke: self._push,
            e.Detach: self._push,
            e.DeliverLease: self.leases.start,
            e.TakeBack: self._take_back,
            e.ReadKeys: self._key_reads.start,
            e.PrepareTopic: lambda effect: self.spawn(self._prepare_topic(effect)),
            e.Reconfigure: self._reconfigure,
            e.RemoveTopic: lambda effect: self.spawn(self._remove_topic(effect)),
            e.TruncateFront: self._truncate_front,
        }

    @property
    def counters(self) -> Counters:
        """Totals since the start."""
        return self.sessions.counters

    def execute(self, request: e.Request, command: Callable[[], e.Effects]) -> None:
        """Carry a command out; if it is refused, answer that."""
        self.run(self.core.refusing(request, command))

    def run(self, effects: e.Effects | list[e.Deliver]) -> None:
        """Carry effects out, in order. A full disk turns the rest's answers into refusals."""
        for index, effect in enumerate(effects):
            try:
                self._carry[type(effect)](effect)
            except LogFull as full:
                self._refuse(effects[index:], self.shortage.refusal_of(full))
                break
            except Exception as error:
                # The log's end is unknown, or an invariant is broken: going on could lie.
                log.exception("cannot carry out %s", type(effect).__name__)
                self.world.fatal(f"cannot carry out {type(effect).__name__}: {error!r}")
                raise
        if self._has_changed:
            self._has_changed = False
            self.logs.write_soon()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that takes a while; its failure is the broker's."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a background task failed", exc_info=task.exception())
            self.world.fatal(f"a background task failed: {task.exception()!r}")

    async def tasks_done(self) -> None:
        """Wait for what is still running; nothing new may come."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def cancel_tasks(self) -> None:
        """End what is still running, at a stop that takes too long."""
        for task in list(self._tasks):
            task.cancel()

    def _refuse(self, effects: e.Effects | list[e.Deliver], refusal: Refusal) -> None:
        for effect in effects:
            if isinstance(effect, e.Append):
                self.core.append_refused(effect.log, self.logs.next_offset(effect.log))
            elif isinstance(effect, e.Reply | e.ReplyWhenDurable):
                self.reply(effect.request, refusal)
            elif isinstance(effect, e.StateChanged | e.Later):
                self._carry[type(effect)](effect)

    def _append(self, effect: e.Append) -> None:
        base_offset = self.logs.append(effect, self.world.clock.wall_us())
        if base_offset != effect.base_offset:
            self.world.fatal(
                f"{effect.log}: the log gave offset {base_offset}, the core {effect.base_offset}"
            )
        counters = self.counters
        counters.records_published += effect.record_count
        counters.bytes_published += len(effect.body)
        counters.batches_published += 1

    def _put_state(self, effect: e.PutState) -> None:
        self.logs.put_state(effect.log, effect.changes, self.world.clock.wall_us())

    def _change(self, effect: e.Change) -> None:
        try:
            self.logs.put_all(effect.puts, self.world.clock.wall_us())
        except LogFull as full:
            self.reply(effect.request, self.shortage.refusal_of(full))
        else:
            self.run(effect.then())

    def _journal(self, effect: e.Journal) -> None:
        try:
            offset = self.logs.append(effect, self.world.clock.wall_us())
        except LogFull as full:
            refusal = self.shortage.refusal_of(full)
            if effect.request is not None:
                self.reply(effect.request, refusal)
            return
        if offset != effect.base_offset:
            self.world.fatal(
                f"{effect.log}: the log gave offset {offset}, the core {effect.base_offset}"
            )
        self.run(effect.then(offset))

    def _reply(self, effect: e.Reply) -> None:
        self.reply(effect.request, effect.result)

    def _reply_when_durable(self, effect: e.ReplyWhenDurable) -> None:
        offset = effect.offset
        if offset is None:
            offset = self.logs.state_end(effect.log)
        if offset is not None and offset <= self.logs.durable_offset(effect.log):
            self.reply(effect.request, effect.result)
        else:
            self.receipts.wait(effect.log, offset, effect.request, effect.result)

    def _when_durable(self, effect: e.WhenDurable) -> None:
        offset = self.logs.state_end(effect.log)
        if offset is not None and offset <= self.logs.durable_offset(effect.log):
            self.run(effect.then())
        else:
            self.receipts.call(offset, effect)

    async def _later(self, effect: e.Later) -> None:
        await asyncio.sleep(0)
        self.run(effect.then())

    def _state_changed(self, effect: e.StateChanged) -> None:
        self.logs.state_changed(effect.log)
        self._has_changed = True

    def _written(self, topic_id: int) -> set[LogId]:
        """What was changed in a topic's logs is in them. Returns those that answers waited for."""
        return self.receipts.place(topic_id, self.logs.next_offset)

    def reply(self, request: e.Request, result: Result | Refusal) -> None:
        """Answer a request, if whoever sent it is still there."""
        if isinstance(result, Refusal):
            refusals = self.counters.refusals
            refusals[result.name] = refusals.get(result.name, 0) + 1
        elif isinstance(result, PublishResult) and result.duplicate:
            self.counters.duplicates += 1
        self.answer(request, translate.answer(result), translate.payload(result))

    def answer(
        self, request: e.Request, message: m.Message, payload: memoryview | None = None
    ) -> None:
        """Send a message as the answer to a request."""
        connection = self.sessions.get(request.session)
        if connection is not None:
            was_publish = connection.settle_publish(request.correlation)
            if was_publish and isinstance(message, m.Failure):
                self.counters.publishes_refused += 1
            connection.send(message, correlation=request.correlation, payload=payload)

    def _push(self, effect: e.Assign | e.Revoke | e.Detach) -> None:
        connection = self.sessions.get(effect.key.session)
        if connection is not None:
            number = effect.key.subscription
            if isinstance(effect, e.Detach) and not effect.generation:
                connection.forget_hints(number)  # all of it has ended
            connection.hints.pop((number, effect.partition), None)
            connection.send(translate.push(effect))

    def _take_back(self, effect: e.TakeBack) -> None:
        connection = self.sessions.get(effect.key.session)
        if connection is not None:
            for message, payload in translate.leases_lost(effect):
                connection.send(message, payload=payload)

    def _deliver(self, effect: e.Deliver) -> None:
        connection = self.sessions.get(effect.key.session)
        if connection is None:
            return
        if connection.paused:
            connection.parked.append(effect)
        else:
            self._deliveries.start(connection, effect)

    def _durable(self, log_id: LogId, offset: int) -> None:
        """The one place where what waited for the disk is let go; receipts come last (ADR 2)."""
        for call in self.receipts.release_calls(log_id, offset):
            self.run(call())
        self.durability.release(log_id, offset)
        self.run(self.core.durable_upto(log_id, offset))
        self._deliveries.wake(log_id)
        if log_id.role is Role.DATA:
            self.run(self.core.queues.visible(log_id))
        for request, result in self.receipts.release(log_id, offset):
            self.reply(request, result)

    def _session_closed(self, number: int) -> None:
        self.on_session_closed(number)
        self.unanswered.forget(number)
        self.run(self.core.streams.session_closed(number, self.world.clock.monotonic()))
        if not self.settlements.closed(number, by_us=self.sessions.draining):
            self.core.queues.stalled(number)  # it is given nothing more

    def _crowded(self, number: int, is_crowded: bool) -> None:
        self.sessions.crowded(number, is_crowded)
        self.core.queues.session_unread(number, is_crowded, self.world.clock.monotonic())

    def _queues_left(self, number: int, by_us: bool) -> None:
        now_us = self.due_clock.now_us()
        self.run(self.core.queues.session_closed(number, now_us, by_us=by_us))

    def _unparked(self, number: int, deliveries: list[e.Deliver]) -> None:
        self.run(deliveries)
        self.run(self.core.queues.resumed(number))

    async def _prepare_topic(self, effect: e.PrepareTopic) -> None:
        """Make the logs of a topic in a thread: directories and their syncs take a while."""
        info = effect.topic
        make = partial(self.logs.store.make_topic, info, effect.first_partition)
        opened: list[Opened] = []
        try:
            async with self._makers:
                opened = await self._loop.run_in_executor(None, make)
            self.logs.put_all([entry(info)], self.world.clock.wall_us())
        except (LogRefused, CorruptLog) as refusal:
            # A crash has left a partition there that the catalog does not know, and it is damaged.
            told = self.logs.store.told(refusal)
            log.error("topic %s cannot be changed: %s", info.name, told)
            self.run(self.core.topics.unprepared(info, Refused("storage_failed", str(refusal))))
            return
        except (LogFull, OSError) as error:
            if isinstance(error, OSError) and not is_passing(error):
                # A sync may have failed: trying again could seem to succeed, and lose what follows.
                self.world.fatal(f"the logs of topic {info.name} cannot be made: {error}")
            refused = self.shortage.not_made("a topic", error)
            self.logs.store.discard(opened)
            if effect.first_partition == 0:
                await self.removals.discard(info.name, info.topic_id)
            self.run(self.core.topics.unprepared(info, refused))
            return
        # Nobody sees a partition that a power cut could take: records would be on their way to it.
        await self.logs.catalog_durable()
        self.logs.add(opened)
        take = partial(self._take_opened, opened, info)
        self.run(self.core.topic_prepared(info, self.world.clock.monotonic(), take))
        self.on_topic_prepared()

    def _take_opened(
        self, opened: list[Opened], info: TopicInfo, partitions: list[Partition]
    ) -> e.Effects:
        effects: e.Effects = []
        for partition, (data, groups, producers) in zip(partitions, opened, strict=True):
            partition.producers = producers
            partition.opened(data.first_offset, data.next_offset, data.durable_offset)
            measure(partition, info.settings, data, wait=False)
            try:
                effects += self.core.regain_groups(info.topic_id, partition.number, groups.entries)
            except BadEntry as bad:
                log.error("topic %s: groups of partition %d: %s", info.name, partition.number, bad)
                partition.own_groups_damage = f"groups cannot be used here: {bad}"
        return effects

    def _reconfigure(self, effect: e.Reconfigure) -> None:
        """Apply a topic's settings to its logs."""
        self.logs.reconfigure(effect.topic)
        for partition in self.core.topics.get(effect.topic.topic_id).partitions:
            if not partition.damage:
                data = self.logs.data(partition.log)
                measure(partition, effect.topic.settings, data, wait=False)

    async def _remove_topic(self, effect: e.RemoveTopic) -> None:
        """Remove a topic's logs; the catalog has forgotten it first."""
        await self.logs.catalog_durable()
        await self.on_topic_removed(effect.topic.topic_id)
        for log_id in self.logs.forget_topic(effect.topic):
            self.leases.cache.forget(log_id)
            self.durability.drop(log_id)
            for request in self.receipts.drop(log_id):
                self.reply(request, Refusal("unknown_topic", "the topic was deleted"))
        await self.removals.remove(effect.topic.name, effect.topic.topic_id)

    def _truncate_front(self, effect: e.TruncateFront) -> None:
        first_offset = self.logs.truncate_front(effect.log, effect.offset)
        self.run(self.core.truncated(effect.log, first_offset))

    def expire_requests(self, now: float) -> None:
        """Answer requests whose deadline has come before their answer."""
        late = Refusal("deadline_exceeded", "not on disk by the deadline; it may still get there")
        for request in (*self.receipts.expired(now), *self.core.topics.overdue(now)):
            self.reply(request, late)
        unpublished = Refusal("deadline_exceeded", "not published: its turn had not come by then")
        for request in self.held.expired(now):
            self.reply(request, unpublished)


async def _not_told(topic_id: int) -> None:
    """Nobody wants to know."""
