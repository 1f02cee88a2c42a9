"""One connection's protocol state, without I/O, for both sides.

The verbs: get_buffer() and received() take bytes in, events() gives the messages that they
complete, frame_head() makes the bytes in front of a payload to send.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from tapemq.wire import messages as m
from tapemq.wire.errors import TIMED_OUT, ProtocolError
from tapemq.wire.frames import Frame, FrameReader, encode_prefix
from tapemq.wire.limits import HANDSHAKE_DEADLINE_S, HANDSHAKE_FRAME_BYTES_MAX, HEARTBEAT_S
from tapemq.wire.messages import OPCODE_OF, OPCODES, SHAPES, WITH_PAYLOAD, Message


class Role(Enum):
    """Which side of a connection this is."""

    BROKER = "broker"
    CLIENT = "client"


class State(Enum):
    """How far a session is."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    CLOSED = "closed"


class Received(NamedTuple):
    """A message from the other side. ``payload`` is a view: copy what is kept."""

    message: Message
    correlation: int
    payload: memoryview


_EITHER: Final = frozenset({m.Ping, m.Pong, m.Bye})
_FROM_CLIENT: Final = _EITHER | {
    m.CreateTopic, m.DescribeTopic, m.ListTopics, m.AlterTopic, m.DeleteTopic,
    m.DescribePartition, m.BrokerStatus, m.OpenProducer, m.Publish, m.Subscribe, m.Release,
    m.Credit, m.Commit, m.Seek, m.Unsubscribe, m.ListGroups, m.DescribeGroup, m.AlterGroup,
    m.DeleteGroup, m.Consume, m.Settle, m.Started, m.Extend, m.DescribeQueue, m.AlterQueue,
    m.Explain, m.ListDead, m.Redrive, m.Discard, m.Schedule, m.GetSchedule, m.CancelSchedule,
    m.ListSchedules,
}  # fmt: skip
_FROM_BROKER: Final = _EITHER | {
    m.Failure, m.Flow, m.Done, m.Topic, m.Names, m.Partition, m.Status, m.Producer, m.Receipt,
    m.Assigned, m.Revoke, m.Deliver, m.Detached, m.Group, m.Leased, m.Settled, m.LeaseLost,
    m.Queue, m.Explanation, m.DeadPage, m.Affected, m.Scheduled, m.ScheduleInfo, m.SchedulePage,
}  # fmt: skip

ALLOWED: Final[dict[tuple[Role, State], frozenset[type]]] = {
    (Role.BROKER, State.HANDSHAKE): frozenset({m.Hello, m.Authenticate, m.Bye}),
    (Role.BROKER, State.OPEN): _FROM_CLIENT,
    (Role.CLIENT, State.HANDSHAKE): frozenset({m.Welcome, m.Challenge, m.Failure, m.Bye}),
    (Role.CLIENT, State.OPEN): _FROM_BROKER,
}
"""What a side may receive in a state; everything else is a protocol error."""

_REQUESTS: Final = _FROM_CLIENT - _EITHER - {m.Credit, m.Started}
"""These are answered, so they need a correlation: a failure without one ends the session. (In the
handshake every failure does.)"""


class Session:
    """Protocol state of one connection. ``now`` arguments are monotonic seconds."""

    def __init__(
        self, role: Role, now: float, *, handshake_deadline_s: float = HANDSHAKE_DEADLINE_S
    ) -> None:
        self.role = role
        self.state = State.HANDSHAKE
        self.reader = FrameReader(HANDSHAKE_FRAME_BYTES_MAX)
        self.heartbeat_s = HEARTBEAT_S
        self._handshake_deadline_s = handshake_deadline_s
        self._opened_at = now
        self._heard_at = now
        self._sent_at = now
        self._asked_at = now
        self._correlation = 0

    def open(self, *, frame_bytes_max: int, heartbeat_s: float = HEARTBEAT_S) -> None:
        """The handshake is complete: what may be received from now on."""
        self.state = State.OPEN
        self.reader.frame_bytes_max = frame_bytes_max
        self.heartbeat_s = heartbeat_s

    def close(self) -> None:
        """Nothing more is received."""
        self.state = State.CLOSED

    def get_buffer(self) -> memoryview:
        """Where the next bytes go; views of earlier payloads are void."""
        return self.reader.get_buffer()

    def received(self, size_bytes: int, now: float) -> None:
        """Bytes were put into the buffer."""
        self._heard_at = now
        self.reader.received(size_bytes)

    def events(self) -> Iterator[Received]:
        """Messages that have arrived whole. Raises ProtocolError; then the session is over.

        Each is to be handled before the next is asked for: a Hello changes what may follow.
        """
        while self.state is not State.CLOSED:
            try:
                frame = self.reader.next_frame()
                received = self._decode(frame) if frame else None
            except ProtocolError:
                self.close()
                raise
            if received is None:
                return
            yield received

    def _decode(self, frame: Frame) -> Received:
        kind = OPCODES.get(frame.opcode)
        if kind is None or kind not in ALLOWED[self.role, self.state]:
            name = kind.__name__ if kind else f"opcode {frame.opcode:#04x}"
            raise ProtocolError(f"{name} is not expected in state {self.state.value}")
        if frame.payload and kind not in WITH_PAYLOAD:
            raise ProtocolError(f"{kind.__name__} with a payload of {len(frame.payload)} bytes")
        if not frame.correlation and kind in _REQUESTS:
            raise ProtocolError(f"{kind.__name__} without a correlation")
        return Received(SHAPES[frame.opcode].decode(frame.header), frame.correlation, frame.payload)

    def next_correlation(self) -> int:
        """A number for a request; 0 is never one."""
        self._correlation = self._correlation % 0xFFFF_FFFF + 1
        return self._correlation

    def frame_head(
        self, message: Message, now: float, *, correlation: int = 0, payload_bytes: int = 0
    ) -> bytes:
        """All of a frame but its payload, about to be sent."""
        self._sent_at = now
        if type(message) is m.Ping:
            self._asked_at = now
        return encode_message(message, correlation=correlation, payload_bytes=payload_bytes)

    def check_alive(self, now: float) -> None:
        """Raise ProtocolError(TIMED_OUT) for a late handshake or two missed heartbeats.

        The second only a heartbeat after a ping that nothing was heard since: who stood still
        itself, with its timers, finds everybody silent and has to ask first.
        """
        limit_s, silent_s = self._handshake_deadline_s, now - self._heard_at
        if self.state is State.HANDSHAKE and now - self._opened_at >= limit_s:
            raise ProtocolError(f"no handshake within {limit_s:g} s", TIMED_OUT)
        asked = self._asked_at > self._heard_at and now - self._asked_at >= self.heartbeat_s
        if self.state is State.OPEN and silent_s >= 2 * self.heartbeat_s and asked:
            raise ProtocolError(f"silent for {silent_s:.1f} s", TIMED_OUT)

    def wants_ping(self, now: float) -> bool:
        """Nothing was sent or heard for one heartbeat: ask whether the other side is there."""
        if self.state is not State.OPEN:
            return False
        silent_since = min(self._sent_at, self._heard_at)
        return now - max(silent_since, self._asked_at) >= self.heartbeat_s


def encode_message(message: Message, *, correlation: int = 0, payload_bytes: int = 0) -> bytes:
    """All of a frame but its payload."""
    opcode = OPCODE_OF[type(message)]
    header = SHAPES[opcode].encode(message)
    return encode_prefix(opcode, header, payload_bytes, correlation) + header
