"""Producers and their batches."""

import asyncio
from typing import Final

from tapemq.batch import BodyPrefix
from tapemq.wire import messages as m
from tapemq_broker.core.effects import Effects, Request
from tapemq_broker.core.inspection import inspect, is_heavy
from tapemq_broker.core.refusal import Refused
from tapemq_broker.server.connection import Connection, Held
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.flow import Flow
from tapemq_broker.server.handlers.table import Handler
from tapemq_broker.server.translate import DURABLE, WRITTEN

_TURN_S: Final = 0.005
"""How long one connection's batches that had to wait may keep the event loop in one turn."""


class PublishingHandlers:
    """OpenProducer and Publish."""

    def __init__(self, engine: Engine, flow: Flow) -> None:
        self._engine = engine
        self._flow = flow
        self.table: dict[type, Handler] = {
            m.OpenProducer: self._open_producer,
            m.Publish: self._publish,
        }

    def _open_producer(
        self, connection: Connection, message: m.OpenProducer, request: Request, payload: memoryview
    ) -> None:
        core = self._engine.core
        self._engine.execute(
            request,
            lambda: core.open_producer(request, message.producer_id, message.producer_epoch),
        )

    def _publish(
        self, connection: Connection, message: m.Publish, request: Request, payload: memoryview
    ) -> None:
        refusal = self._flow.admit(connection, request.correlation, len(payload))
        if refusal is not None:
            self._engine.counters.publishes_refused += 1
            self._engine.reply(request, refusal)
        elif connection.held or is_heavy(payload) or self._must_wait(connection):
            if self._engine.held.add(connection, Held(message, request, bytes(payload))):
                self._engine.spawn(self._publish_held(connection))
        else:
            self._append(message, request, payload)

    def _must_wait(self, connection: Connection) -> bool:
        return self._engine.logs.turns.must_wait(connection.in_flight_bytes)

    async def _publish_held(self, connection: Connection) -> None:
        """Publish what has to wait, some in each turn of the loop; what came behind waits too, so
        order is kept.

        With the connection this ends, in the midst of what it waits for, or right behind it: then
        nothing waits any more.
        """
        while connection.held:
            held = connection.held[0]
            try:
                held.prefix = await self._inspected(connection, held)
            except Refused as refused:
                if connection.held:
                    self._engine.held.let_go(connection)
                if not held.is_late:
                    self._engine.reply(held.request, refused.refusal)
            else:
                await self._append_in_turn(connection)
            if connection.held:  # else another task would be begun for what comes meanwhile
                await asyncio.sleep(0)  # there may be a thousand

    async def _inspected(self, connection: Connection, held: Held) -> BodyPrefix | None:
        """Inspect a body in a thread, if it is a heavy one. Raises Refused."""
        if not is_heavy(held.body):
            return None
        limits = self._engine.core.batch_limits
        checking = asyncio.get_running_loop().run_in_executor(
            None, inspect, held.body, held.message.checksum, limits
        )
        connection.held_for = checking
        return await checking

    async def _append_in_turn(self, connection: Connection) -> None:
        turns = self._engine.logs.turns
        if not turns.must_wait(connection.in_flight_bytes):
            self._append_share(connection)
            return
        turn = connection.held_for = turns.wait()
        try:
            await turn
            self._append_share(connection)
        finally:
            turns.over(turn)

    def _append_share(self, connection: Connection) -> None:
        """Append the first that waits, and those behind it: as much as a turn at the disk and one
        of the loop can afford."""
        clock, left_bytes = self._engine.world.clock, self._engine.logs.turns.share_bytes
        until = clock.monotonic() + _TURN_S
        while connection.held:
            held = self._engine.held.let_go(connection)
            if not held.is_late:
                self._append(held.message, held.request, held.body, held.prefix)
            left_bytes -= len(held.body)
            if left_bytes <= 0 or clock.monotonic() >= until:
                return
            if connection.held and is_heavy(connection.held[0].body):
                return

    def _append(
        self,
        message: m.Publish,
        request: Request,
        body: bytes | memoryview,
        prefix: BodyPrefix | None = None,
    ) -> None:
        def publish() -> Effects:
            if message.level not in (DURABLE, WRITTEN):
                raise Refused("bad_request", f"level {message.level} is neither 0 nor 1")
            return self._engine.core.publish(
                request,
                message.topic_id,
                message.partition,
                body,
                body_checksum=message.checksum,
                durable=message.level == DURABLE,
                now_us=self._engine.world.clock.wall_us(),
                heard_us=self._engine.age_clock.now_us(),
                prefix=prefix,
            )

        self._engine.execute(request, publish)
