"""Opening, keeping and ending a session."""

from typing import Final

from tapemq.wire import messages as m
from tapemq.wire.errors import (
    BAD_REQUEST,
    UNAUTHENTICATED,
    UNKNOWN_SESSION,
    UNSUPPORTED_VERSION,
    ProtocolError,
)
from tapemq.wire.limits import HEADER_BYTES_MAX
from tapemq_broker.core.effects import Request
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.flow import Flow
from tapemq_broker.server.handlers.table import Handler
from tapemq_broker.server.identity import Identity

PROTOCOL_VERSION: Final = 1
NAMESPACE: Final = "default"
_SESSION_TOKEN_BYTES: Final = 16


class HandshakeHandlers:
    """Hello to Welcome, Ping to Pong, Bye to the end."""

    def __init__(self, engine: Engine, flow: Flow, identity: Identity) -> None:
        self._engine = engine
        self._flow = flow
        self._identity = identity
        self.table: dict[type, Handler] = {
            m.Hello: self._hello,
            m.Authenticate: self._authenticate,
            m.Ping: self._ping,
            m.Pong: lambda connection, message, request, payload: None,
            m.Bye: lambda connection, message, request, payload: connection.close(),
        }

    def _hello(
        self, connection: Connection, hello: m.Hello, request: Request, payload: memoryview
    ) -> None:
        if PROTOCOL_VERSION not in hello.versions:
            raise ProtocolError(
                f"this broker speaks version {PROTOCOL_VERSION}, the client {hello.versions}",
                UNSUPPORTED_VERSION,
            )
        if hello.mechanism != "none":
            raise ProtocolError(
                f"authentication by {hello.mechanism!r} is not offered; only 'none' is",
                UNAUTHENTICATED,
            )
        if hello.namespace != NAMESPACE:
            raise ProtocolError(f"there is no namespace {hello.namespace!r}", BAD_REQUEST)
        sessions, settings = self._engine.sessions, self._engine.sessions.settings
        if hello.resume:
            connection.keeps_alive = self._kept_alive(sessions.tokens.find(hello.resume)).number
        connection.client = hello.client[:200]
        connection.token = self._engine.world.random.bytes(_SESSION_TOKEN_BYTES)
        if connection.keeps_alive is None:
            sessions.tokens.issue(connection.token, connection.number)
        frame_bytes_max = settings.batch_bytes_max + HEADER_BYTES_MAX
        connection.session.open(frame_bytes_max=frame_bytes_max, heartbeat_s=settings.heartbeat_s)
        sessions.handshakes.ended(connection.number)
        connection.send(
            m.Welcome(
                version=PROTOCOL_VERSION,
                broker_id=self._identity.broker_id,
                boot_epoch=self._identity.boot_epoch,
                session=connection.token,
                publish_window_bytes=settings.publish_window_bytes,
                frame_bytes_max=frame_bytes_max,
                batch_bytes_max=settings.batch_bytes_max,
                record_bytes_max=settings.record_bytes_max,
                heartbeat_ms=int(settings.heartbeat_s * 1000),
            ),
            correlation=request.correlation,
        )
        if self._flow.blocked:
            connection.send(self._flow.message())

    def _authenticate(
        self, connection: Connection, message: m.Authenticate, request: Request, payload: memoryview
    ) -> None:
        raise ProtocolError("Authenticate without a Challenge", UNAUTHENTICATED)

    def _ping(
        self, connection: Connection, message: m.Ping, request: Request, payload: memoryview
    ) -> None:
        if connection.keeps_alive is not None:
            now = self._engine.world.clock.monotonic()
            self._kept_alive(connection.keeps_alive).kept_alive(now)
            self._engine.core.queues.extend_session(connection.keeps_alive, now)
        connection.send(m.Pong(), correlation=request.correlation)

    def _kept_alive(self, number: int | None) -> Connection:
        connection = None if number is None else self._engine.sessions.get(number)
        if connection is None:
            raise ProtocolError("the session to keep alive is over", UNKNOWN_SESSION)
        return connection
