"""All connections: opening, closing, and the way of a message to its command."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from tapemq.wire import messages as m
from tapemq.wire.errors import LIMIT_EXCEEDED, OVERLOADED, SHUTTING_DOWN, ErrorKind, ProtocolError
from tapemq_broker.config import Settings
from tapemq_broker.core.effects import Deliver, Request
from tapemq_broker.server.clock import Clock
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.counters import Counters
from tapemq_broker.server.handshakes import Handshakes
from tapemq_broker.server.outbound_memory import OutboundMemory
from tapemq_broker.server.publish_memory import PublishMemory
from tapemq_broker.server.reading_turns import ReadingTurns
from tapemq_broker.server.session_tokens import SessionTokens

log = logging.getLogger("tapemq.broker")


Handle = Callable[[Connection, m.Message, Request, memoryview], None]
"""Carries a message out: the connection, the message, whom to answer, the payload."""


_SENT_AT_ONCE: Final = 200
"""Connections that are told something in one turn of the loop: 5 to 20 µs each."""

_KEEPING_ALIVE: Final = frozenset({m.Ping, m.Pong, m.Bye})
_WHILE_DRAINING: Final = frozenset({m.Ping, m.Pong, m.Bye, m.Credit})
_STOPPING: Final = m.Failure(
    OVERLOADED.code, "the broker is stopping; connect again later", retry_after_ms=1000
)
_WHILE_OVERRUN: Final = _WHILE_DRAINING | {
    m.Hello, m.Started, m.Extend, m.Release, m.Unsubscribe,
}  # fmt: skip
_OVERRUN: Final = m.Failure(
    OVERLOADED.code, "too many requests wait for the broker's disk", retry_after_ms=1000
)


def _not_started(
    connection: Connection, message: m.Message, request: Request, payload: memoryview
) -> None:
    raise ProtocolError("the broker is starting", SHUTTING_DOWN)


class Sessions:
    """The connections of a broker, by number."""

    def __init__(self, settings: Settings, clock: Clock, counters: Counters) -> None:
        self.settings = settings
        self.clock = clock
        self.counters = counters
        self.by_number: dict[int, Connection] = {}
        self.handshakes = Handshakes(settings.handshakes_max)
        self.handle: Handle = _not_started
        self.is_overrun: Callable[[int], bool] = lambda number: False
        self.on_closed: Callable[[int], None] = lambda number: None
        self.on_unparked: Callable[[int, list[Deliver]], None] = lambda number, deliveries: None
        self.tokens = SessionTokens()
        self.memory = PublishMemory(settings.publish_memory_bytes)
        self.outbound = OutboundMemory(settings.outbound_memory_bytes)
        self.turns = ReadingTurns(clock)
        self.draining = False
        self._number = 0
        self._none_left: asyncio.Future[None] | None = None

    def opened(self, connection: Connection) -> None:
        """A client has connected."""
        self._number += 1
        connection.number = self._number
        self.by_number[connection.number] = connection
        self.counters.connections_opened += 1
        if len(self.by_number) > self.settings.connections_max:
            connection.fail(
                LIMIT_EXCEEDED, f"this broker takes {self.settings.connections_max} connections"
            )
        elif self.draining:
            connection.fail(SHUTTING_DOWN, "the broker is stopping; try again in a moment")
        else:
            self.handshakes.begun(connection)

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""
        if self.by_number.pop(connection.number, None) is not None:
            self.counters.connections_closed += 1
            self.handshakes.ended(connection.number)
            self.tokens.forget(connection.token)
            self.on_closed(connection.number)
        if not self.by_number and self._none_left is not None and not self._none_left.done():
            self._none_left.set_result(None)

    def when_none(self) -> asyncio.Future[None]:
        """Done as soon as there is no connection."""
        self._none_left = asyncio.get_running_loop().create_future()
        if not self.by_number:
            self._none_left.set_result(None)
        return self._none_left

    def failed(self, connection: Connection, kind: ErrorKind, text: str) -> None:
        """The broker ends a connection, and says so to both sides."""
        self.counters.protocol_errors += 1
        log.warning("connection from %s closed: %s: %s", connection.peer, kind.name, text)

    def aborted(self, connection: Connection, why: str) -> None:
        """The broker cuts a connection."""
        log.warning("connection from %s cut: %s", connection.peer, why)

    def unparked(self, connection: Connection, deliveries: list[Deliver]) -> None:
        """A client reads again."""
        self.on_unparked(connection.number, deliveries)

    def crowded(self, number: int, is_crowded: bool) -> None:
        """A client has, or has no longer, too many requests that wait for the disk."""
        connection = self.by_number.get(number)
        if connection is not None:
            connection.hold_reading(is_crowded)

    def dispatch(
        self, connection: Connection, message: m.Message, correlation: int, payload: memoryview
    ) -> None:
        """Hand a message to its handler. Raises ProtocolError."""
        if connection.keeps_alive is not None and type(message) not in _KEEPING_ALIVE:
            name = type(message).__name__
            raise ProtocolError(f"{name} on a connection that keeps another session alive")
        if self.draining and type(message) not in _WHILE_DRAINING:
            # Else what is written would never come to rest, and nobody could be told goodbye.
            connection.send(_STOPPING, correlation=correlation)
            return
        if correlation in connection.publish_sizes and type(message) is not m.Ping:
            # Its answer would pass for that of the publish, whose bytes are counted by its number.
            raise ProtocolError(f"correlation {correlation} is that of a publish without an answer")
        if self.is_overrun(connection.number) and type(message) not in _WHILE_OVERRUN:
            self.counters.refusals["overloaded"] = self.counters.refusals.get("overloaded", 0) + 1
            connection.send(_OVERRUN, correlation=correlation)
            return
        request = Request(connection.number, correlation, self._deadline(message))
        self.handle(connection, message, request, payload)

    def _deadline(self, message: m.Message) -> float | None:
        deadline_ms = getattr(message, "deadline_ms", 0)
        return self.clock.monotonic() + deadline_ms / 1000 if deadline_ms else None

    def get(self, number: int) -> Connection | None:
        """The connection, if it is still there."""
        return self.by_number.get(number)

    def broadcast(self, message: m.Message) -> None:
        """Send to every open session; to many of them in several turns of the loop.

        What is broadcast first comes first everywhere.
        """
        self._send_some(message, iter(list(self.by_number.values())))

    def _send_some(self, message: m.Message, connections: Iterator[Connection]) -> None:
        some = list(islice(connections, _SENT_AT_ONCE))
        for connection in some:
            if connection.is_open:
                connection.send(message)
        if len(some) == _SENT_AT_ONCE:
            asyncio.get_running_loop().call_soon(self._send_some, message, connections)

    def numbers(self) -> list[int]:
        """Of the connections that there are."""
        return list(self.by_number)

    def check(self, number: int, now: float) -> None:
        """Time passed."""
        connection = self.by_number.get(number)
        if connection is not None:
            connection.check(now)
