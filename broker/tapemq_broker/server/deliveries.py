"""From the log to the socket: one chunk at a time, as it rests."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from tapemq.wire import messages as m
from tapemq_broker.core.effects import Deliver, Effects
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.streams import Streams
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.logs import Logs
from tapemq_broker.server.sessions import Sessions
from tapemq_broker.storage.errors import CorruptLog, OffsetOutOfRange
from tapemq_broker.storage.reading import ReadPlan
from tapemq_broker.storage.record_log import Chunk

log = logging.getLogger("tapemq.broker")


class Deliveries:
    """Carries Deliver effects out. A read that would wait for the disk goes to a thread."""

    def __init__(
        self,
        streams: Streams,
        logs: Logs,
        sessions: Sessions,
        *,
        run: Callable[[Effects], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._streams: Final = streams
        self._logs: Final = logs
        self._sessions: Final = sessions
        self._run: Final = run
        self._spawn: Final = spawn
        self._loop: Final = asyncio.get_running_loop()

    def start(self, connection: Connection, wish: Deliver) -> None:
        """Read what is asked for, and send it."""
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
        self._sessions.counters.reads_from_disk += 1
        try:
            chunk = await self._loop.run_in_executor(None, plan.run, True)
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
        self._sessions.counters.corrupt_reads += 1
        log.error("cannot read %s for delivery: %s", wish.log, error)
        reason = Refusal("storage_failed", str(error))
        partition, generation = wish.log.partition, wish.generation
        self._run(self._streams.undeliverable(wish.key, partition, generation, reason))
