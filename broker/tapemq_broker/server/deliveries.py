"""From the log to the socket: one chunk at a time, as it rests."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from itertools import islice
from typing import Any, Final

from tapemq.batch import LogId
from tapemq.wire import messages as m
from tapemq_broker.core.effects import Deliver, Effects, SubscriptionKey
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.streams import Streams
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.disk_reads import DiskReads
from tapemq_broker.server.logs import Logs
from tapemq_broker.server.read_retries import ReadRetries
from tapemq_broker.server.sessions import Sessions
from tapemq_broker.storage.errors import CorruptLog, OffsetOutOfRange
from tapemq_broker.storage.reading import ReadPlan
from tapemq_broker.storage.record_log import Chunk

log = logging.getLogger("tapemq.broker")

_READERS_AT_ONCE: Final = 256
"""Readers of a log that are told of more in one turn of the loop: 2 µs each."""
_TURN_BYTES: Final = 2 * 1024 * 1024
"""What all deliveries of a turn of the loop may come to: one to two milliseconds."""
_DELIVERY_BYTES: Final = 64 * 1024
"""What a delivery costs beside its bytes, in time, is as if it had so many more: 50 µs."""


class Deliveries:
    """Carries Deliver effects out. A read that would wait for the disk goes to a thread."""

    def __init__(
        self,
        streams: Streams,
        logs: Logs,
        sessions: Sessions,
        reads: DiskReads,
        run: Callable[[Effects], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        retries: ReadRetries,
    ) -> None:
        self._streams: Final = streams
        self._logs: Final = logs
        self._sessions: Final = sessions
        self._reads: Final = reads
        self._run: Final = run
        self._spawn: Final = spawn
        self._retries: Final = retries
        self._loop: Final = asyncio.get_running_loop()
        # Logs whose readers are being told, and whether to begin again after that.
        self._waking: Final[dict[LogId, bool]] = {}
        # What this turn of the loop can still afford, and who waits for the next ones.
        self._budget = _TURN_BYTES
        self._line: Final[deque[Deliver]] = deque()
        self._is_turning = False

    def wake(self, log_id: LogId) -> None:
        """More of a log may be delivered: tell its readers, many of them some at a time."""
        if log_id in self._waking:
            self._waking[log_id] = True  # those that were told already may have come to its end
            return
        readers = self._streams.readers(log_id)
        if len(readers) <= _READERS_AT_ONCE:
            self._run(self._streams.visible(log_id, readers))
        else:
            self._waking[log_id] = False
            self._wake_some(log_id, iter(readers))

    def _wake_some(self, log_id: LogId, readers: Iterator[SubscriptionKey]) -> None:
        some = list(islice(readers, _READERS_AT_ONCE))
        self._run(self._streams.visible(log_id, some))
        if len(some) == _READERS_AT_ONCE:
            self._loop.call_soon(self._wake_some, log_id, readers)
        elif self._waking.pop(log_id):
            self.wake(log_id)

    def start(self, connection: Connection, wish: Deliver) -> None:
        """Read what is asked for, and send it; in a later turn of the loop if this one is full."""
        if self._budget <= 0:
            self._line.append(wish)
        else:
            self._begin(connection, wish)
        if not self._is_turning:
            self._is_turning = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """The next turn of the loop."""
        self._budget = _TURN_BYTES
        self._is_turning = False
        while self._line and self._budget > 0:
            self._run([self._line.popleft()])  # what is started asks for the turn behind this one

    def _begin(self, connection: Connection, wish: Deliver) -> None:
        self._budget -= _DELIVERY_BYTES
        place = (wish.key.subscription, wish.log.partition)
        if not self._streams.is_wanted(wish):
            return  # void while it was parked; its reader was told, and its log may be gone
        try:
            plan = self._logs.plan(wish, connection.hints.get(place))
            chunk = plan.run(wait=False)
        except (OffsetOutOfRange, CorruptLog, OSError) as error:
            self._failed(wish, error)
            return
        if chunk is not None:
            self._send(wish, chunk)
        else:
            self._spawn(self._read_in_thread(wish, plan))

    async def _read_in_thread(self, wish: Deliver, plan: ReadPlan) -> None:
        async with self._reads.turns:
            if self._streams.is_wanted(wish):  # else who comes and goes would keep the disk busy
                await self._read_and_send(wish, plan)

    async def _read_and_send(self, wish: Deliver, plan: ReadPlan) -> None:
        self._sessions.counters.reads_from_disk += 1
        try:
            chunk = await self._reads.run(partial(plan.run, True))
        except (OffsetOutOfRange, CorruptLog, OSError) as error:
            self._failed(wish, error)
            return
        if chunk is None:
            return
        connection = self._sessions.get(wish.key.session)
        if connection is None or connection.has_room(len(chunk.data)):
            self._send(wish, chunk)
        else:
            # Others were faster. It is read again, and from memory: keeping it would cost that.
            connection.parked.append(wish)

    def _send(self, wish: Deliver, chunk: Chunk) -> None:
        connection = self._sessions.get(wish.key.session)
        if connection is None or not self._streams.is_wanted(wish):
            return
        place = (wish.key.subscription, wish.log.partition)
        connection.hints[place] = chunk.hint
        message = m.Deliver(
            *place, wish.generation, wish.offset, chunk.next_offset, chunk.record_count
        )
        connection.send(message, payload=chunk.data)
        self._budget -= len(chunk.data)
        counters = self._sessions.counters
        counters.records_delivered += chunk.record_count
        counters.bytes_delivered += len(chunk.data)
        counters.deliveries += 1
        # The next one in a turn of its own: a fast reader must not keep the loop from others.
        self._loop.call_soon(self._delivered, wish, chunk)

    def _delivered(self, wish: Deliver, chunk: Chunk) -> None:
        effects = self._streams.delivered(
            wish.key,
            wish.log.partition,
            wish.generation,
            next_offset=chunk.next_offset,
            records=chunk.record_count,
            size_bytes=len(chunk.data),
        )
        self._run(effects)

    def _failed(self, wish: Deliver, error: Exception) -> None:
        """Damage, or a log cut by retention or deleted between the wish and its start."""
        if isinstance(error, OffsetOutOfRange):
            self._run(
                self._streams.delivered(
                    wish.key,
                    wish.log.partition,
                    wish.generation,
                    next_offset=error.first_offset,
                    records=0,
                    size_bytes=0,
                )
            )
            return
        if not self._streams.is_wanted(wish):
            return  # its topic may be deleted, and the files are no more
        if self._retries.takes(error, lambda: self._run([wish])):
            return
        self._sessions.counters.corrupt_reads += 1
        log.error("cannot read %s for delivery: %s", wish.log, error)
        reason = Refusal("storage_failed", str(error))
        partition, generation = wish.log.partition, wish.generation
        self._run(self._streams.undeliverable(wish.key, partition, generation, reason))
