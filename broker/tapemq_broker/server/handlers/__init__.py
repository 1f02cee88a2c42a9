"""From messages to commands of the core: one small table for each part of the protocol."""

from tapemq.wire import messages as m
from tapemq.wire.session import ALLOWED, Role, State
from tapemq_broker.core.effects import Request
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.flow import Flow
from tapemq_broker.server.handlers.groups import GroupHandlers
from tapemq_broker.server.handlers.handshake import HandshakeHandlers
from tapemq_broker.server.handlers.publishing import PublishingHandlers
from tapemq_broker.server.handlers.queue_admin import QueueAdminHandlers
from tapemq_broker.server.handlers.queues import QueueHandlers
from tapemq_broker.server.handlers.schedules import ScheduleHandlers
from tapemq_broker.server.handlers.streams import StreamHandlers
from tapemq_broker.server.handlers.table import Handler
from tapemq_broker.server.handlers.topics import TopicHandlers
from tapemq_broker.server.identity import Identity
from tapemq_broker.server.schedules.service import Schedules


class Handlers:
    """What a broker does with each message that a client may send."""

    def __init__(
        self, engine: Engine, flow: Flow, identity: Identity, schedules: Schedules
    ) -> None:
        self._table: dict[type, Handler] = {
            **HandshakeHandlers(engine, flow, identity).table,
            **TopicHandlers(engine, flow, identity).table,
            **PublishingHandlers(engine, flow).table,
            **StreamHandlers(engine).table,
            **GroupHandlers(engine).table,
            **QueueHandlers(engine).table,
            **QueueAdminHandlers(engine).table,
            **ScheduleHandlers(engine, flow, schedules).table,
        }
        allowed = ALLOWED[Role.BROKER, State.HANDSHAKE] | ALLOWED[Role.BROKER, State.OPEN]
        if differing := allowed ^ self._table.keys():
            raise RuntimeError(f"allowed without a handler, or the reverse: {differing}")

    def handle(
        self,
        connection: Connection,
        message: m.Message,
        request: Request,
        payload: memoryview,
    ) -> None:
        """Carry a message out. Raises ProtocolError."""
        self._table[type(message)](connection, message, request, payload)
