"""One client's connection: bytes to messages, messages to bytes, and what it may cost."""

import asyncio
import os
import socket
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol, cast

from tapemq.batch import BodyPrefix
from tapemq.wire import messages as m
from tapemq.wire.errors import ErrorKind, ProtocolError
from tapemq.wire.parts import write_parts
from tapemq.wire.session import Role, Session, State
from tapemq_broker.config import Settings
from tapemq_broker.core.effects import Deliver, Request
from tapemq_broker.server.clock import Clock
from tapemq_broker.server.outbound_memory import OutboundMemory
from tapemq_broker.server.publish_memory import PublishMemory
from tapemq_broker.server.reading_turns import READ_BYTES, ReadingTurns
from tapemq_broker.server.received_memory import ReceivedMemory
from tapemq_broker.server.translate import text_of
from tapemq_broker.server.unsent import Unsent, owned

_COUNTED_BYTES: Final = 16 * 1024
"""From here on what a client does not take at once counts, though it is not slow yet."""


class Host(Protocol):
    """What a connection needs of the broker around it."""

    @property
    def settings(self) -> Settings: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def memory(self) -> PublishMemory: ...

    @property
    def outbound(self) -> OutboundMemory: ...

    @property
    def turns(self) -> ReadingTurns: ...

    def opened(self, connection: "Connection") -> None:
        """A client has connected: give it a number."""

    def closed(self, connection: "Connection") -> None:
        """It is gone."""

    def failed(self, connection: "Connection", kind: ErrorKind, text: str) -> None:
        """The broker is about to close it, saying why."""

    def aborted(self, connection: "Connection", why: str) -> None:
        """The broker cuts it."""

    def unparked(self, connection: "Connection", deliveries: list[Deliver]) -> None:
        """It takes data again."""

    def dispatch(
        self, connection: "Connection", message: m.Message, correlation: int, payload: memoryview
    ) -> None:
        """A message has come. Raises ProtocolError."""


@dataclass(slots=True)
class Held:
    """A publish that waits for its inspection, or for its turn. ``prefix``: that it was inspected
    and how its body begins. ``is_late``: its deadline came first. It was answered, and is not to be
    appended; only the first of a connection stays, for whoever works on it."""

    message: m.Publish
    request: Request
    body: bytes
    prefix: BodyPrefix | None = None
    is_late: bool = False


class Connection(asyncio.BufferedProtocol):
    """The transport's callbacks, and what the engine needs to know of a connection."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._transport: asyncio.Transport | None = None
        self.session = Session(
            Role.BROKER,
            host.clock.monotonic(),
            handshake_deadline_s=host.settings.handshake_deadline_s,
        )
        self.number = 0
        self.client = ""
        self.token = b""
        # The session that this connection does nothing but keep alive, if it is such a one.
        self.keeps_alive: int | None = None
        self.peer = ""
        self.in_flight_bytes = 0
        self._received = ReceivedMemory(host.memory, self.session.reader)
        self.publish_sizes: dict[int, int] = {}
        self.held: deque[Held] = deque()
        self.held_for: asyncio.Future[BodyPrefix] | asyncio.Future[None] | None = None
        self.parked: list[Deliver] = []
        self.hints: dict[tuple[int, int], object] = {}
        self.lookups = 0
        # Subscriptions that begin when their start is looked up, and who asked for them.
        self.coming: dict[int, Request] = {}
        self._paused_at: float | None = None
        self._is_reading_held = False
        self._is_put_off = False  # the rest of what has come, to a later turn of the loop
        self.unsent = Unsent()
        self._will_end_turn = False
        self._last_unsent_bytes = 0
        self._cut_at_bytes = 0
        self._closed_at: float | None = None

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.unsent.goes_to(self._transport)
        settings = self._host.settings
        self._transport.set_write_buffer_limits(
            high=settings.outbound_high_bytes, low=settings.outbound_low_bytes
        )
        peer = transport.get_extra_info("peername")
        self.peer = f"{peer[0]}:{peer[1]}" if peer else "?"
        self._host.opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.session.get_buffer()[:READ_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        now = self._host.clock.monotonic()
        self.session.received(nbytes, now)
        self._host.turns.read(nbytes)
        self._handle(now)
        if self._host.turns.is_over() and self._may_have_more:
            self._put_off()

    def _handle(self, now: float) -> None:
        """Hand over what has arrived whole: as much as this turn of the loop can afford."""
        turns = self._host.turns
        try:
            for message, correlation, payload in self.session.events():
                self._received.handled(now)
                self._host.dispatch(self, message, correlation, payload)
                if turns.is_over() and self._may_have_more:
                    self._put_off()
                    return
        except ProtocolError as error:
            self.fail(error.kind, str(error))
        self._count_received(now)

    @property
    def _may_have_more(self) -> bool:
        """Part of what it sends has come."""
        return self._transport is not None and self.session.reader.buffered_bytes > 0

    def _count_received(self, now: float) -> None:
        if not self._received.count(now):
            used_bytes = self._host.memory.used_bytes
            self.abort(f"{used_bytes} bytes are being published: there is no memory for it")

    def _put_off(self) -> None:
        """Go on in a later turn of the loop, and read nothing more before that."""
        if not self._is_put_off:
            self._is_put_off = True
            self._host.turns.wait(self._go_on)
            if self._transport is not None and not self._transport.is_closing():
                self._transport.pause_reading()

    def _go_on(self) -> None:
        self._is_put_off = False
        if self._transport is None:
            return  # all of it was handled when that was gone
        now = self._host.clock.monotonic()
        self.session.received(0, now)  # it could not be heard
        try:
            self._handle(now)
        except Exception:
            self.abort("a message of it could not be handled")  # it would never be read again
            raise
        self._read_on()

    def _read_on(self) -> None:
        """Read more, unless there is a reason not to."""
        transport = self._transport
        is_wanted = not (self._is_reading_held or self._is_put_off)
        if is_wanted and transport is not None and not transport.is_closing():
            transport.resume_reading()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        transport, self._transport = self._transport, None
        self.unsent.goes_to(None)
        if exc is not None and transport is not None:
            self._read_rest(transport.get_extra_info("socket"))
        self.session.close()
        self._host.outbound.forget(self)
        self._received.forget()
        self._host.memory.change(-self.in_flight_bytes)
        self.in_flight_bytes = 0
        self.publish_sizes.clear()
        # They are not counted any more, and who comes and goes must not make them many.
        self.held.clear()
        if self.held_for is not None:
            self.held_for.cancel()
        self._host.closed(self)

    def _read_rest(self, source: socket.socket | None) -> None:
        """Take what the client has said before it was gone: acks, and what it had begun with.

        A transport whose write fails reads no more, whatever has come by then.
        """
        self._handle(self._host.clock.monotonic())
        with suppress(OSError):
            while source is not None and self.session.state is State.OPEN:
                size_bytes = os.readv(source.fileno(), [self.session.get_buffer()])
                if not size_bytes:
                    break
                self.buffer_updated(size_bytes)

    def pause_writing(self) -> None:
        self._paused_at = self._host.clock.monotonic()
        self._last_unsent_bytes = self.unsent.unsent_bytes
        # What is unsent by now may be one large batch: only what comes behind it counts.
        self._cut_at_bytes = self._last_unsent_bytes + self._host.settings.outbound_bytes_max
        self._host.outbound.note(self)

    def resume_writing(self) -> None:
        self._paused_at = None
        self._host.outbound.note(self)
        parked, self.parked = self.parked, []
        self._host.unparked(self, parked)

    # What the engine calls

    @property
    def paused(self) -> bool:
        """The client does not read as fast as it is sent to."""
        return self._paused_at is not None

    def send(
        self, message: m.Message, *, correlation: int = 0, payload: memoryview | None = None
    ) -> None:
        """Send a message; nothing happens on a connection that is gone, or is closing: there
        writelines() of Python's own transports fails from 3.12 on."""
        if self._transport is None or self._transport.is_closing():
            return
        now = self._host.clock.monotonic()
        size = 0 if payload is None else len(payload)
        try:
            head = self.session.frame_head(
                message, now, correlation=correlation, payload_bytes=size
            )
        except ProtocolError as error:  # a defect, which must not be everybody's
            self.abort(f"an answer to it cannot be sent: {error}")
            return
        if payload is not None:
            payload = owned(payload)
        if payload is None:
            self._transport.write(head)
        else:
            write_parts(self._transport, (head, payload))
        # Behind it: a transport may pause with the first part, and the rest would count as sent.
        self.unsent.wrote(head, payload)
        if not self._will_end_turn:
            self._will_end_turn = True
            asyncio.get_running_loop().call_soon(self._end_turn)
        if self._paused_at is not None:
            self._check_unsent()

    def _end_turn(self) -> None:
        """What the client does not take at once is known by now: some send at a turn's end."""
        self._will_end_turn = False
        self.unsent.turn_ends()
        if self.unsent.held_bytes >= _COUNTED_BYTES:
            self._host.outbound.note(self)

    def _check_unsent(self) -> None:
        """Something was sent to a client that does not take it."""
        unsent_bytes = self.unsent.unsent_bytes
        self._host.outbound.note(self)
        if unsent_bytes > self._cut_at_bytes:
            self.abort(f"{unsent_bytes} bytes unsent: the client does not read")

    def has_room(self, size_bytes: int) -> bool:
        """Whether a delivery that was read meanwhile can be sent."""
        room_bytes = self._host.settings.outbound_bytes_max - self.unsent.unsent_bytes
        return not self.paused or size_bytes <= room_bytes

    def fail(self, kind: ErrorKind, text: str) -> None:
        """Say why, and close."""
        self._host.failed(self, kind, text)
        self.send(m.Failure(kind.code, text_of(text)))
        self.close()

    def close(self) -> None:
        """Close when what was sent is out."""
        self.session.close()
        if self._closed_at is None:
            self._closed_at = self._host.clock.monotonic()
        if self._transport is not None:
            self._transport.close()

    def abort(self, why: str) -> None:
        """Close at once."""
        self._host.aborted(self, why)
        self._host.outbound.forget(self)
        self.session.close()
        self._received.forget()  # others may come before the transport says that it is gone
        if self._transport is not None:
            self._transport.abort()

    def hold_reading(self, is_held: bool) -> None:
        """Read nothing more, or go on. What is in the buffer is still handled."""
        self._is_reading_held = is_held
        if self._transport is None or self._transport.is_closing():
            return
        if is_held:
            self._transport.pause_reading()
        else:
            self.session.received(0, self._host.clock.monotonic())  # it could not be heard
            self._read_on()

    def forget_hints(self, subscription: int) -> None:
        """A subscription has ended: where its reading of logs stood is of no use any more."""
        for place in [place for place in self.hints if place[0] == subscription]:
            del self.hints[place]

    def kept_alive(self, now: float) -> None:
        """A second connection of the client says that it is there, however busy."""
        self.session.received(0, now)
        if self._paused_at is not None:
            self._paused_at = now

    def check(self, now: float) -> None:
        """Time passed: heartbeats, deadlines, memory."""
        if self._closed_at is not None:
            # Else who is gone without a word, or does not read, would keep its partitions.
            if now - self._closed_at >= self._host.settings.write_stall_s:
                self.abort("it was closed, and the client does not read what is left")
            return
        try:
            if not (self._is_reading_held or self._is_put_off):
                self.session.check_alive(now)
        except ProtocolError as error:
            self.fail(error.kind, str(error))
            return
        if self._stalled(now):
            self.abort("no progress in sending: the client does not read")
        elif self._received.hoards(now, self._host.settings.write_stall_s):
            self.abort("memory is short, and a frame does not come to its end")
        elif self.session.wants_ping(now):
            self.send(m.Ping())
            self.session.reader.shrink()
            self._count_received(now)

    def _stalled(self, now: float) -> bool:
        """Whether a paused connection has sent nothing for write_stall_s."""
        if self._paused_at is None:
            return False
        unsent = self.unsent.unsent_bytes
        if unsent < self._last_unsent_bytes:
            self._paused_at, self._last_unsent_bytes = now, unsent
            return False
        self._last_unsent_bytes = unsent
        return now - self._paused_at >= self._host.settings.write_stall_s

    @property
    def is_open(self) -> bool:
        """The handshake is complete and the connection is there."""
        return self.session.state is State.OPEN and self._transport is not None

    def settle_publish(self, correlation: int) -> bool:
        """A request is answered: if it was a publish, its bytes count no more. Whether it was."""
        size_bytes = self.publish_sizes.pop(correlation, None)
        if size_bytes:
            self.in_flight_bytes -= size_bytes
            self._host.memory.change(-size_bytes)
        return size_bytes is not None

    def has_come(self, subscription: int, request: Request) -> bool:
        """The start of a subscription is looked up: whether it is still wanted."""
        if self.coming.get(subscription) is not request:
            return False
        del self.coming[subscription]
        return True

    def begin_publish(self, correlation: int, size_bytes: int) -> None:
        """A publish was admitted: it counts until it is answered."""
        self.publish_sizes[correlation] = size_bytes
        self.in_flight_bytes += size_bytes
        self._host.memory.change(size_bytes)
