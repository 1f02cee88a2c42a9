"""From the log to the consumers of queue groups: the records of each lease."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from tapemq.batch import BatchError, LogId
from tapemq.wire import messages as m
from tapemq.wire.entries import pack_runs
from tapemq_broker.core.broker import Broker
from tapemq_broker.core.effects import DeliverLease, Effects
from tapemq_broker.core.queue.lease import size
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.server.batch_cache import BatchCache
from tapemq_broker.server.batches import Batches
from tapemq_broker.server.clock import Clock
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.disk_reads import DiskReads
from tapemq_broker.server.lease_contents import LeaseContents
from tapemq_broker.server.logs import Logs
from tapemq_broker.server.read_retries import ReadRetries
from tapemq_broker.server.rising_clock import RisingClock
from tapemq_broker.server.sessions import Sessions
from tapemq_broker.server.steady_clock import SteadyClock
from tapemq_broker.storage.errors import CorruptLog, OffsetOutOfRange
from tapemq_broker.storage.reading import ReadPlan

log = logging.getLogger("tapemq.broker")

_TURN_BYTES: Final = 1024 * 1024
"""What all leases of a turn of the loop may come to: one to two milliseconds."""
_LEASE_BYTES: Final = 32 * 1024
"""What a lease costs beside its bytes, in time, is as if it had so many more."""
_NEW_BYTES: Final = 512 * 1024
_AGAIN_BYTES: Final = 64 * 1024
"""Read at once of records that come for the first time, one behind the other, or again."""


class Leases:
    """Carries DeliverLease effects out. A read that would wait for the disk goes to a thread.

    Each report may bring the next effect. They stand in a line, so that nothing is nested, and
    what a turn of the loop cannot afford is left to the next one.
    """

    def __init__(
        self,
        core: Broker,
        logs: Logs,
        sessions: Sessions,
        clock: Clock,
        due_clock: RisingClock,
        reads: DiskReads,
        run: Callable[[Effects], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        retries: ReadRetries,
    ) -> None:
        self._topics: Final = core.topics
        self._queues: Final = core.queues
        self._logs: Final = logs
        self._sessions: Final = sessions
        self._clock: Final = clock
        self._age_clock: Final = SteadyClock(clock)
        self._due_clock: Final = due_clock
        self._reads: Final = reads
        self._run: Final = run
        self._spawn: Final = spawn
        self._retries: Final = retries
        self._loop: Final = asyncio.get_running_loop()
        self.cache: Final = BatchCache(sessions.settings.queue_cache_bytes)
        self._line: Final[deque[DeliverLease]] = deque()
        self._budget = _TURN_BYTES
        self._is_working = False
        self._is_turning = False

    def start(self, wish: DeliverLease) -> None:
        """Read what is asked for, send it and report; in a later turn if this one is full."""
        self._line.append(wish)
        if not self._is_working:
            self._work()

    def _work(self) -> None:
        self._is_working = True
        try:
            while self._line and self._budget > 0:
                self._begin(self._line.popleft())
        finally:
            self._is_working = False
        if not self._is_turning:
            self._is_turning = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """The next turn of the loop."""
        self._budget = _TURN_BYTES
        self._is_turning = False
        if self._line:
            self._spawn(self._go_on())  # a task, so that its failure is the broker's

    async def _go_on(self) -> None:
        if not self._is_working:
            self._work()

    def _begin(self, wish: DeliverLease) -> None:
        connection = self._sessions.get(wish.key.session)
        if not self._queues.is_wanted(wish):
            return
        contents = self._contents(wish)
        if connection is None or connection.paused:
            # Who does not read is passed over until it does: the others shall not wait for it.
            self._queues.stalled(wish.key.session)
            self._report(wish, contents)
            return
        try:
            plan = self._fill(wish, contents)
        except (CorruptLog, BatchError, OSError) as error:
            if contents.upto == wish.runs[0][0]:
                self._failed(wish, error)
                return
            plan = None  # what is before the damage is sent; the next lease begins with it
        if plan is not None and contents.upto == wish.runs[0][0]:
            self._spawn(self._read_in_thread(wish, plan))
            return
        self._send(connection, wish, contents)
        self._report(wish, contents)

    def _contents(self, wish: DeliverLease) -> LeaseContents:
        if wish.lives_again:
            return LeaseContents(wish.runs[0][0], wish.max_bytes)
        now_us = self._age_clock.now_us()
        topic = self._topics.by_id[wish.log.topic_id]
        ttl_us = int(topic.info.settings.get("ttl_s", 0)) * 1_000_000
        return LeaseContents(
            wish.runs[0][0],
            wish.max_bytes,
            too_old_us=now_us - wish.max_age_ms * 1000 if wish.max_age_ms else 0,
            expired_us=now_us - ttl_us if ttl_us else 0,
            now_us=now_us,
        )

    def _fill(self, wish: DeliverLease, contents: LeaseContents) -> ReadPlan | None:
        """Take what is wanted. Returns a read that would have to wait, where it came to one."""
        for first, upto in wish.runs:
            offset = first
            while offset < upto:
                if contents.is_full:
                    return None
                batches = self.cache.find(wish.log, offset)
                if batches is None:
                    plan = self._read(wish, contents, offset, upto)
                    if plan is not None:
                        return plan
                else:
                    contents.take(batches, offset, upto)
                offset = max(offset, contents.upto)
        return None

    def _read(
        self, wish: DeliverLease, contents: LeaseContents, offset: int, upto: int
    ) -> ReadPlan | None:
        """Bring what holds an offset into the cache, or find that there is no such record."""
        data = self._logs.data(wish.log)
        comes_again = wish.deliveries or wish.failures or wish.crashes
        try:
            plan = data.plan(
                offset,
                upto=data.durable_offset,
                max_bytes=_AGAIN_BYTES if comes_again else _NEW_BYTES,
                hint=self.cache.hint(wish.log, offset),
            )
            chunk = plan.run(wait=False)
        except OffsetOutOfRange as gone:
            if gone.first_offset <= offset:
                raise OSError(f"{wish.log}: offset {offset} cannot be read: {gone}") from gone
            contents.skip(offset, min(upto, gone.first_offset))
            return None
        if chunk is None:
            return plan
        batches = Batches(offset, chunk)
        if batches.is_heavy:
            return plan  # to be read, and decoded, in a thread
        self._keep(wish.log, batches, offset)
        return None

    def _keep(self, log_id: LogId, batches: Batches, offset: int) -> None:
        if batches.next_offset <= offset:
            raise RuntimeError(f"{log_id}: a read from {offset} ended at {batches.next_offset}")
        self.cache.put(log_id, batches)

    async def _read_in_thread(self, wish: DeliverLease, plan: ReadPlan) -> None:
        async with self._reads.turns:
            if self._queues.is_wanted(wish):  # else who comes and goes would keep the disk busy
                await self._read_and_start(wish, plan)

    async def _read_and_start(self, wish: DeliverLease, plan: ReadPlan) -> None:
        offset = wish.runs[0][0]
        self._sessions.counters.reads_from_disk += 1
        try:
            batches = await self._reads.run(partial(_read_all, plan, offset))
        except OffsetOutOfRange:
            batches = None  # retention was faster: the next try finds out what is gone
        except (CorruptLog, BatchError, OSError) as error:
            self._failed(wish, error)
            return
        if batches is not None:
            self._keep(wish.log, batches, offset)
        self.start(wish)

    def _send(self, connection: Connection, wish: DeliverLease, contents: LeaseContents) -> None:
        self._budget -= contents.size_bytes + _LEASE_BYTES
        if not contents.sent:
            return
        message = m.Leased(
            wish.key.subscription,
            wish.log.partition,
            wish.lease_id,
            pack_runs([(first, upto - first) for first, upto in contents.sent]),
            int(wish.lease_s * 1000),
            wish.failures,
            wish.crashes,
            wish.deliveries,
        )
        parts = contents.payload()
        payload = parts[0] if len(parts) == 1 else b"".join(parts)
        connection.send(message, payload=memoryview(payload))
        counters = self._sessions.counters
        counters.leases += 1
        counters.records_leased += contents.records
        counters.bytes_leased += contents.size_bytes

    def _report(self, wish: DeliverLease, contents: LeaseContents) -> None:
        self._sessions.counters.records_expired += size(contents.expired)
        effects = self._queues.lease_sent(
            wish,
            upto=contents.upto,
            size_bytes=contents.size_bytes,
            now=self._clock.monotonic(),
            now_us=self._due_clock.now_us(),
            absent=contents.absent,
            expired=contents.expired,
            too_old=contents.too_old,
        )
        self._run(effects)

    def _failed(self, wish: DeliverLease, error: Exception) -> None:
        if not self._queues.is_wanted(wish):
            return  # its topic may be deleted, and the files are no more
        if self._retries.takes(error, lambda: self.start(wish)):
            return
        self._sessions.counters.corrupt_reads += 1
        log.error("cannot read %s for queue groups: %s", wish.log, error)
        reason = Refusal("storage_failed", str(error))
        self._run(self._queues.lease_failed(wish, reason))


def _read_all(plan: ReadPlan, offset: int) -> Batches:
    """Read, and decode what takes long."""
    chunk = plan.run(True)
    assert chunk is not None
    batches = Batches(offset, chunk)
    batches.find_ttls()
    return batches
