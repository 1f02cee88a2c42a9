"""Producers and their batches."""

from tapemq.wire import messages as m
from tapemq_broker.core.effects import Effects, Request
from tapemq_broker.core.refusal import Refused
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.flow import Flow
from tapemq_broker.server.handlers.table import Handler
from tapemq_broker.server.translate import DURABLE, WRITTEN


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
            self._engine.reply(request, refusal)
            return

        def publish() -> Effects:
            if message.level not in (DURABLE, WRITTEN):
                raise Refused("bad_request", f"level {message.level} is neither 0 nor 1")
            return self._engine.core.publish(
                request,
                message.topic_id,
                message.partition,
                payload,
                body_checksum=message.checksum,
                durable=message.level == DURABLE,
                now_us=self._engine.world.clock.wall_us(),
            )

        self._engine.execute(request, publish)
