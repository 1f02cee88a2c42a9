"""What is said on one connection, without I/O: requests, answers, pushes, flow, heartbeats.

Both shells build on it. A shell moves the bytes and tells the time; it calls in here from one
thread at a time.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from tapemq.errors import ConnectionLost, Error, ProtocolViolation, from_failure
from tapemq.network.publish_window import PublishWindow
from tapemq.wire import messages as m
from tapemq.wire.errors import ProtocolError
from tapemq.wire.limits import FRAME_BYTES_MAX
from tapemq.wire.messages import WITH_PAYLOAD
from tapemq.wire.session import Received, Role, Session, State

log = logging.getLogger("tapemq.client")

Answer = Callable[[Any], None]
"""Called once with the message that answers a request, or with the Error instead of one.

A message of a kind that may have a payload comes as a Reply.
"""

PushHandler = Callable[[Any, memoryview], None]
"""Called with each message pushed to a subscription, and its payload: copy what is kept."""

BEATS_PER_HEARTBEAT: Final = 4
"""How often beat() is to be called."""

WRITE_BUFFER_BYTES: Final = 1024 * 1024
"""While more than this is unsent, nothing more is published."""

_TO_SUBSCRIPTIONS: Final = (
    m.Deliver, m.Assigned, m.Revoke, m.Detached, m.Leased, m.LeaseLost,
)  # fmt: skip


class Reply(NamedTuple):
    """An answer and its payload."""

    message: Any
    payload: bytes


class Exchange(ABC):
    """Requests and their answers by correlation, pushes by subscription, the publish window."""

    def __init__(self, hello: m.Hello, now: float) -> None:
        self._hello = hello
        self._session = Session(Role.CLIENT, now)
        self._answers: dict[int, tuple[Answer, int]] = {}
        self._handlers: dict[int, PushHandler] = {}
        # In the order in which they came: so much each of them is to publish.
        self._wanting_room: dict[object, tuple[int, Callable[[], None]]] = {}
        self._kept_room: dict[object, int] = {}
        self._reason: Error | None = None
        self._writable = True
        self._subscriptions = 0
        self.window = PublishWindow(0)
        self.welcome: m.Welcome | None = None

    # What a shell provides

    @abstractmethod
    def _now(self) -> float:
        """Monotonic seconds."""

    @abstractmethod
    def _transmit(self, parts: Sequence[bytes]) -> None:
        """Send these bytes, now or later. Raises ConnectionLost if there is no connection."""

    @abstractmethod
    def _opened(self, welcome: m.Welcome) -> None:
        """The handshake is complete."""

    @abstractmethod
    def abort(self) -> None:
        """Drop the connection without a word."""

    # Sending

    @property
    def limits(self) -> m.Welcome:
        """What the broker said when the session opened."""
        assert self.welcome is not None
        return self.welcome

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent."""
        return self._session.state is State.OPEN

    def send(self, message: m.Message, answer: Answer, payload: bytes = b"") -> None:
        """Send a request. ``answer`` is called once, whatever happens.

        Raises ConnectionLost if there is no connection, ValueError for what cannot be said.
        """
        correlation = self._session.next_correlation()
        self._write(message, correlation, (payload,) if payload else (), len(payload))
        self._answers[correlation] = (answer, 0)

    def publish(
        self, message: m.Publish | m.Schedule, body: Sequence[bytes], answer: Answer
    ) -> None:
        """Send a body that the window admits; ``body`` is its parts."""
        correlation = self._session.next_correlation()
        size_bytes = sum(map(len, body))
        self._write(message, correlation, body, size_bytes)
        self._answers[correlation] = (answer, size_bytes)
        self.window.sent(size_bytes)

    def push(self, message: m.Message, payload: bytes = b"") -> None:
        """Send a message that is not answered."""
        self._write(message, 0, (payload,) if payload else (), len(payload))

    def greet(self) -> None:
        """Send the first message."""
        self._write(self._hello, 0)

    def _write(
        self,
        message: m.Message,
        correlation: int,
        payload: Sequence[bytes] = (),
        payload_bytes: int = 0,
    ) -> None:
        try:
            head = self._session.frame_head(
                message, self._now(), correlation=correlation, payload_bytes=payload_bytes
            )
        except ProtocolError as error:
            raise ValueError(str(error)) from None
        self._transmit((head, *payload))

    def admits(self, payload_bytes: int) -> bool:
        """Whether a batch of this size may be published now: not before those that want room."""
        return not self._wanting_room and self.has_room(payload_bytes)

    def has_room(self, payload_bytes: int) -> bool:
        """The same for whoever has its turn."""
        return self._writable and self.is_open and self.window.admits(payload_bytes)

    def want_room(self, who: object, payload_bytes: int, callback: Callable[[], None]) -> None:
        """Call back, once, when ``who`` has its turn and there is room for so much.

        It is kept until take_room() or want_no_room(). Turns go round: who always has more to
        publish would else leave nothing to the others.
        """
        self._wanting_room[who] = payload_bytes, callback

    def take_room(self, who: object) -> bool:
        """``who`` publishes now, or does not care any more. Whether room was kept."""
        self._wanting_room.pop(who, None)
        kept_bytes = self._kept_room.pop(who, None)
        self.window.answered(kept_bytes or 0)
        return kept_bytes is not None

    def want_no_room(self, who: object) -> None:
        """Do not call back any more, and let others have the room that was kept."""
        self.take_room(who)
        self._offer_room()

    def want_less_room(self, who: object, payload_bytes: int | None) -> None:
        """If ``who`` waits for its turn: it wants only so much now, in its place, or none (None).

        Those behind it would else wait for room that nobody uses.
        """
        if who not in self._wanting_room:
            return
        _, callback = self._wanting_room[who]
        if payload_bytes is None:
            del self._wanting_room[who]
        else:
            self._wanting_room[who] = payload_bytes, callback
        self._offer_room()

    def _offer_room(self) -> None:
        while self._wanting_room:
            who, (payload_bytes, callback) = next(iter(self._wanting_room.items()))
            if not self.has_room(payload_bytes):
                return
            del self._wanting_room[who]
            self._kept_room[who] = payload_bytes
            self.window.sent(payload_bytes)
            callback()

    def pause_writing(self) -> None:
        """Much is unsent: publish nothing more for now."""
        self._writable = False

    def resume_writing(self) -> None:
        """It was sent."""
        self._writable = True
        self._offer_room()

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

    def received(self, size_bytes: int) -> None:
        """So many bytes were put into the session's buffer."""
        try:
            self._session.received(size_bytes, self._now())
            for received in self._session.events():
                self._dispatch(received)
        except ProtocolError as error:
            self._end(ProtocolViolation(f"the broker broke the protocol: {error}"))

    def _dispatch(self, received: Received) -> None:
        message, correlation, payload = received
        if type(message) is m.Ping:  # it may carry any number
            self._write(m.Pong(), correlation)
        elif correlation:
            if type(message) in WITH_PAYLOAD:
                message = Reply(message, bytes(payload))
            self._answered(correlation, message)
        elif isinstance(message, _TO_SUBSCRIPTIONS):
            handler = self._handlers.get(message.subscription)
            if handler is not None:
                handler(message, payload)
        elif isinstance(message, m.Welcome):
            self._welcomed(message)
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
        self._opened(welcome)

    def _flow_changed(self, flow: m.Flow) -> None:
        was_blocked = self.window.blocked
        self.window.size_bytes = flow.publish_window_bytes
        self.window.blocked_because = flow.reason
        if self.window.blocked:
            log.warning("the broker takes no publishes now: %s", flow.reason)
        elif was_blocked:
            log.info("the broker takes publishes again")
        self._offer_room()

    # Time and the end

    @property
    def beat_s(self) -> float:
        """Seconds between two beats."""
        return self._session.heartbeat_s / BEATS_PER_HEARTBEAT

    def beat(self, late_s: float) -> None:
        """Time passed: is the broker there? This call comes ``late_s`` after it was due."""
        now = self._now()
        try:
            # A shell that was blocked has not read what arrived meanwhile: it may not judge yet.
            if late_s < self._session.heartbeat_s:
                self._session.check_alive(now)
            if self._session.wants_ping(now):
                self.push(m.Ping())
        except ProtocolError as error:
            self._end(ConnectionLost(f"the broker does not answer: {error}"))

    def _end(self, reason: Error) -> None:
        """Drop the connection for a reason."""
        self._reason = reason
        self.abort()

    def _over(self, error: Exception | None) -> Error:
        """The connection is gone, for ``error`` if it broke. Returns why; nothing was told yet."""
        self._session.close()
        self._wanting_room.clear()
        self._kept_room.clear()
        self._handlers.clear()
        return self._reason or ConnectionLost(
            f"the connection broke: {error}" if error else "the broker closed the connection"
        )

    def _tell_the_open_requests(self, reason: Error) -> None:
        """Whatever ended the session, they were not answered."""
        answers, self._answers = self._answers, {}
        for answer, _ in answers.values():
            answer(_loss(reason))


def _loss(reason: Error) -> ConnectionLost:
    if isinstance(reason, ConnectionLost):
        return reason
    loss = ConnectionLost(str(reason))
    loss.__cause__ = reason
    return loss
