"""From the log to the socket: one chunk at a time, as it rests."""

import asyncio
import logging
from typing import TYPE_CHECKING

from tapemq.wire import messages as m
from tapemq_broker.core.effects import Deliver
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.server.connection import Connection
from tapemq_broker.storage.errors import CorruptLog, OffsetOutOfRange
from tapemq_broker.storage.reading import ReadPlan
from tapemq_broker.storage.record_log import Chunk

if TYPE_CHECKING:
    from tapemq_broker.server.engine import Engine

log = logging.getLogger("tapemq.broker")


class Deliveries:
    """Carries Deliver effects out. A read that would wait for the disk goes to a thread."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._loop = asyncio.get_running_loop()

    def start(self, connection: Connection, wish: Deliver) -> None:
        """Read what is asked for, and send it."""
        place = (wish.key.subscription, wish.log.partition)
        if not self._engine.core.streams.is_wanted(wish):
            return  # void while it was parked; its reader was told, and its log may be gone
        try:
            plan = self._engine.logs.plan(wish, connection.hints.get(place))
            chunk = plan.run(wait=False)
        except (OffsetOutOfRange, CorruptLog, OSError) as error:
            self._failed(wish, error)
            return
        if chunk is not None:
            self._send(wish, chunk)
        else:
            self._engine.spawn(self._read_in_thread(wish, plan))

    async def _read_in_thread(self, wish: Deliver, plan: ReadPlan) -> None:
        self._engine.counters.reads_from_disk += 1
        try:
            chunk = await self._loop.run_in_executor(None, plan.run, True)
        except (OffsetOutOfRange, CorruptLog, OSError) as error:
            self._failed(wish, error)
            return
        if chunk is not None:
            self._send(wish, chunk)

    def _send(self, wish: Deliver, chunk: Chunk) -> None:
        connection = self._engine.sessions.get(wish.key.session)
        if connection is None or not self._engine.core.streams.is_wanted(wish):
            return
        place = (wish.key.subscription, wish.log.partition)
        connection.hints[place] = chunk.hint
        message = m.Deliver(
            *place, wish.generation, wish.offset, chunk.next_offset, chunk.record_count
        )
        connection.send(message, payload=chunk.data)
        counters = self._engine.counters
        counters.records_delivered += chunk.record_count
        counters.bytes_delivered += len(chunk.data)
        counters.deliveries += 1
        # The next one in a turn of its own: a fast reader must not keep the loop from others.
        self._loop.call_soon(self._delivered, wish, chunk)

    def _delivered(self, wish: Deliver, chunk: Chunk) -> None:
        effects = self._engine.core.streams.delivered(
            wish.key,
            wish.log.partition,
            wish.generation,
            next_offset=chunk.next_offset,
            records=chunk.record_count,
            size_bytes=len(chunk.data),
        )
        self._engine.run(effects)

    def _failed(self, wish: Deliver, error: Exception) -> None:
        """Damage, or a log cut by retention or deleted between the wish and its start."""
        streams = self._engine.core.streams
        if isinstance(error, OffsetOutOfRange):
            self._engine.run(
                streams.delivered(
                    wish.key,
                    wish.log.partition,
                    wish.generation,
                    next_offset=error.first_offset,
                    records=0,
                    size_bytes=0,
                )
            )
            return
        self._engine.counters.corrupt_reads += 1
        log.error("cannot read %s for delivery: %s", wish.log, error)
        reason = Refusal("storage_failed", str(error))
        partition, generation = wish.log.partition, wish.generation
        self._engine.run(streams.undeliverable(wish.key, partition, generation, reason))
