"""One connection to a broker: the protocol's session on an asyncio transport."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

from tapemq.errors import ConnectionLost, Error, ProtocolViolation, from_failure
from tapemq.network.publish_window import PublishWindow
from tapemq.wire import messages as m
from tapemq.wire.errors import ProtocolError
from tapemq.wire.limits import FRAME_BYTES_MAX
from tapemq.wire.session import Received, Role, Session, State

log = logging.getLogger("tapemq.client")

Answer = Callable[[Any], None]
"""Called once with the message that answers a request, or with the Error instead of one."""

PushHandler = Callable[[Any, memoryview], None]
"""Called with each message pushed to a subscription, and its payload: copy what is kept."""

_BEATS_PER_HEARTBEAT = 4
_WRITE_BUFFER_BYTES = 1024 * 1024


class Connection(asyncio.BufferedProtocol):
    """Requests and their answers by correlation, pushes by subscription, heartbeats.

    ``opened`` resolves when the handshake is complete; ``lost`` (to the reason) when it is over.
    """

    def __init__(self, hello: m.Hello) -> None:
        self._loop = asyncio.get_running_loop()
        self._hello = hello
        self._session = Session(Role.CLIENT, self._loop.time())
        self._transport: asyncio.Transport | None = None
        self._answers: dict[int, tuple[Answer, int]] = {}
        self._handlers: dict[int, PushHandler] = {}
        self._wanting_room: dict[object, Callable[[], None]] = {}
        self._reason: Error | None = None
        self._writable = True
        self._beat_due = 0.0
        self._beat_handle: asyncio.TimerHandle | None = None
        self._subscriptions = 0
        self.window = PublishWindow(0)
        self.welcome: m.Welcome | None = None
        self.opened: asyncio.Future[m.Welcome] = self._loop.create_future()
        self.lost: asyncio.Future[Error] = self._loop.create_future()

    @property
    def limits(self) -> m.Welcome:
        """What the broker said when the session opened."""
        assert self.welcome is not None
        return self.welcome

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent."""
        return self._session.state is State.OPEN

    # Sending

    def send(self, message: m.Message, answer: Answer) -> None:
        """Send a request. ``answer`` is called once, whatever happens.

        Raises ConnectionLost if there is no connection, ValueError for what cannot be said.
        """
        correlation = self._session.next_correlation()
        self._write(message, correlation)
        self._answers[correlation] = (answer, 0)

    def publish(self, message: m.Publish, body: Sequence[bytes], answer: Answer) -> None:
        """Send a batch that the window admits; ``body`` is its parts."""
        correlation = self._session.next_correlation()
        size_bytes = sum(map(len, body))
        self._write(message, correlation, body, size_bytes)
        self._answers[correlation] = (answer, size_bytes)
        self.window.sent(size_bytes)

    def push(self, message: m.Message) -> None:
        """Send a message that is not answered."""
        self._write(message, 0)

    async def request(self, message: m.Message) -> Any:
        """Send a request and wait for the answer. Raises Error, as send()."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def answer(result: Any) -> None:
            if future.done():  # the caller has given up
                return
            if isinstance(result, Error):
                future.set_exception(result)
            else:
                future.set_result(result)

        self.send(message, answer)
        return await future

    def _write(
        self,
        message: m.Message,
        correlation: int,
        payload: Sequence[bytes] = (),
        payload_bytes: int = 0,
    ) -> None:
        if self._transport is None:
            raise ConnectionLost("the connection is closed")
        try:
            head = self._session.frame_head(
                message, self._loop.time(), correlation=correlation, payload_bytes=payload_bytes
            )
        except ProtocolError as error:
            raise ValueError(str(error)) from None
        if payload:
            self._transport.writelines((head, *payload))
        else:
            self._transport.write(head)

    def admits(self, payload_bytes: int) -> bool:
        """Whether a batch of this size may be published now."""
        return self._writable and self.is_open and self.window.admits(payload_bytes)

    def want_room(self, who: object, callback: Callable[[], None]) -> None:
        """Call back, once, when the window or the socket has room again."""
        self._wanting_room[who] = callback

    def _offer_room(self) -> None:
        for who in tuple(self._wanting_room):
            if not self.admits(0):
                return
            self._wanting_room.pop(who)()

    # Subscriptions

    def open_subscription(self, handler: PushHandler) -> int:
        """A new subscription number, whose pushes go to ``handler``."""
        self._subscriptions += 1
        self._handlers[self._subscriptions] = handler
        return self._subscriptions

    def close_subscription(self, subscription: int) -> None:
        """Pushes that are still under way are dropped."""
        self._handlers.pop(subscription, None)

    # Receiving

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._session.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self._session.received(nbytes, self._loop.time())
            for received in self._session.events():
                self._dispatch(received)
        except ProtocolError as error:
            self._end(ProtocolViolation(f"the broker broke the protocol: {error}"))

    def _dispatch(self, received: Received) -> None:
        message, correlation, payload = received
        if correlation:
            self._answered(correlation, message)
        elif isinstance(message, (m.Deliver, m.Assigned, m.Revoke, m.Detached)):
            handler = self._handlers.get(message.subscription)
            if handler is not None:
                handler(message, payload)
        elif isinstance(message, m.Welcome):
            self._welcomed(message)
        elif isinstance(message, m.Ping):
            self.push(m.Pong())
        elif isinstance(message, m.Flow):
            self._flow_changed(message)
        elif isinstance(message, m.Failure):
            self._end(from_failure(message))
        elif isinstance(message, m.Bye):
            self._reason = ConnectionLost(f"the broker said goodbye: {message.text}")

    def _answered(self, correlation: int, message: m.Message) -> None:
        answer, payload_bytes = self._answers.pop(correlation, (None, 0))
        if answer is None:
            raise ProtocolError(f"an answer to request {correlation}, which is not open")
        self.window.answered(payload_bytes)
        answer(from_failure(message) if isinstance(message, m.Failure) else message)
        if self._wanting_room:
            self._offer_room()

    def _welcomed(self, welcome: m.Welcome) -> None:
        heartbeat_s = welcome.heartbeat_ms / 1000
        # Not welcome.frame_bytes_max: that is what the broker takes. It sends many batches in a
        # frame, and some may be from a time when its limit was higher.
        self._session.open(frame_bytes_max=FRAME_BYTES_MAX, heartbeat_s=heartbeat_s)
        self.welcome = welcome
        self.window.size_bytes = welcome.publish_window_bytes
        self._schedule_beat()
        if not self.opened.done():
            self.opened.set_result(welcome)

    def _flow_changed(self, flow: m.Flow) -> None:
        was_blocked = self.window.blocked
        self.window.size_bytes = flow.publish_window_bytes
        self.window.blocked_because = flow.reason
        if self.window.blocked:
            log.warning("the broker takes no publishes now: %s", flow.reason)
        elif was_blocked:
            log.info("the broker takes publishes again")
        self._offer_room()

    # The connection's life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # Both limits, because uvloop's default for the lower one is all but zero.
        self._transport.set_write_buffer_limits(_WRITE_BUFFER_BYTES, _WRITE_BUFFER_BYTES // 4)
        self._write(self._hello, 0)
        self._schedule_beat()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._offer_room()

    def _schedule_beat(self) -> None:
        if self._beat_handle is not None:
            self._beat_handle.cancel()
        interval_s = self._session.heartbeat_s / _BEATS_PER_HEARTBEAT
        self._beat_due = self._loop.time() + interval_s
        self._beat_handle = self._loop.call_at(self._beat_due, self._beat)

    def _beat(self) -> None:
        now = self._loop.time()
        try:
            # A loop that was blocked has not read what arrived meanwhile: it may not judge yet.
            if now - self._beat_due < self._session.heartbeat_s:
                self._session.check_alive(now)
            if self._session.wants_ping(now):
                self.push(m.Ping())
        except ProtocolError as error:
            self._end(ConnectionLost(f"the broker does not answer: {error}"))
        else:
            self._schedule_beat()

    def _end(self, reason: Error) -> None:
        """Drop the connection for a reason."""
        self._reason = reason
        self.abort()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._session.close()
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Say goodbye and close."""
        if self._transport is not None and not self._transport.is_closing():
            if self.is_open:
                self.push(m.Bye())
            self._session.close()
            self._transport.close()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._session.close()
        self._transport = None
        if self._beat_handle is not None:
            self._beat_handle.cancel()
        reason = self._reason or ConnectionLost(
            f"the connection broke: {error}" if error else "the broker closed the connection"
        )
        self._wanting_room.clear()
        self._handlers.clear()
        answers, self._answers = self._answers, {}
        if not self.opened.done():
            self.opened.set_exception(reason)
            self.opened.exception()  # seen: nobody may be waiting any more
        self.lost.set_result(reason)
        for answer, _ in answers.values():
            answer(_loss(reason))


def _loss(reason: Error) -> ConnectionLost:
    """What requests in flight are told: whatever ended the session, they were not answered."""
    if isinstance(reason, ConnectionLost):
        return reason
    loss = ConnectionLost(str(reason))
    loss.__cause__ = reason
    return loss
