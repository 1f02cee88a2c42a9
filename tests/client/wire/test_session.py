from itertools import product

import pytest

from tapemq.wire import messages as m
from tapemq.wire.errors import LIMIT_EXCEEDED, PROTOCOL_ERROR, TIMED_OUT, ProtocolError
from tapemq.wire.frames import PREFIX_BYTES, encode_prefix
from tapemq.wire.limits import FRAME_BYTES_MAX
from tapemq.wire.messages import OPCODES, WITH_PAYLOAD
from tapemq.wire.session import ALLOWED, Received, Role, Session, State, encode_message
from tests.support.wire_examples import EXAMPLES

BY_OPCODE = {m.OPCODE_OF[type(example.message)]: example for example in EXAMPLES}

HANDSHAKE = {
    Role.BROKER: {"Hello", "Authenticate", "Bye"},
    Role.CLIENT: {"Challenge", "Welcome", "Failure", "Bye"},
}
EITHER = {"Ping", "Pong", "Bye"}
FROM_BROKER = {"Failure", "Flow", "Done", "Topic", "Names", "Partition", "Status", "Producer"}
FROM_BROKER |= {"Receipt", "Assigned", "Revoke", "Deliver", "Detached", "Group"}
FROM_BROKER |= {"Leased", "Settled", "LeaseLost", "Queue", "Explanation", "DeadPage", "Affected"}
FROM_BROKER |= {"Scheduled", "ScheduleInfo", "SchedulePage"}
ONLY_HANDSHAKE = {"Hello", "Authenticate", "Challenge", "Welcome"}


def session(role: Role, state: State = State.OPEN) -> Session:
    made = Session(role, now=0.0)
    if state is State.OPEN:
        made.open(frame_bytes_max=FRAME_BYTES_MAX)
    elif state is State.CLOSED:
        made.close()
    return made


def feed(to: Session, data: bytes, now: float = 0.0) -> list[Received]:
    """What arrives, with payloads copied."""
    to.reader.feed(data)
    to.received(0, now)
    return [event._replace(payload=memoryview(bytes(event.payload))) for event in to.events()]


def expected(name: str, role: Role, state: State) -> bool:
    """Whether the side may receive the message, by the specification and not by the table."""
    if state is State.HANDSHAKE:
        return name in HANDSHAKE[role]
    if role is Role.CLIENT:
        return name in FROM_BROKER | EITHER
    return name not in FROM_BROKER | ONLY_HANDSHAKE


@pytest.mark.parametrize(("role", "state"), list(ALLOWED))
def test_every_opcode_in_every_state(role: Role, state: State) -> None:
    for opcode in range(256):
        receiver = session(role, state)
        example = BY_OPCODE.get(opcode)
        if example and expected(example.name, role, state):
            head = encode_message(
                example.message,
                correlation=example.correlation,
                payload_bytes=len(example.payload),
            )
            assert feed(receiver, head + example.payload) == [
                Received(example.message, example.correlation, memoryview(example.payload))
            ]
            assert receiver.state is state
        else:
            with pytest.raises(ProtocolError, match="not expected in state") as caught:
                feed(receiver, encode_prefix(opcode, b"\x80", 0, 1) + b"\x80")
            assert caught.value.kind is PROTOCOL_ERROR
            assert receiver.state is State.CLOSED


def test_the_table_has_a_row_for_each_open_state() -> None:
    assert set(ALLOWED) == set(product(Role, (State.HANDSHAKE, State.OPEN)))
    assert set().union(*ALLOWED.values()) == set(OPCODES.values())


@pytest.mark.parametrize("role", Role)
def test_closed_session_receives_nothing(role: Role) -> None:
    assert feed(session(role, State.CLOSED), b"".join(map(encode_message, [m.Ping()] * 3))) == []


def test_session_is_over_after_an_error() -> None:
    broker = session(Role.BROKER)
    good = encode_message(m.Ping(), correlation=1)
    broker.reader.feed(good + encode_prefix(0x05, b"\xc0", 0, 1) + b"\xc0" + good)
    events = broker.events()
    assert next(events).message == m.Ping()
    with pytest.raises(ProtocolError):
        next(events)
    assert list(broker.events()) == []


def test_handler_may_change_what_follows() -> None:
    broker = session(Role.BROKER, State.HANDSHAKE)
    hello = encode_message(m.Hello([1], "c"), correlation=1)
    broker.reader.feed(hello + encode_message(m.Ping()) * 3)
    kinds = []
    for event in broker.events():
        kinds.append(type(event.message))
        if len(kinds) == 1:
            broker.open(frame_bytes_max=FRAME_BYTES_MAX)
        if len(kinds) == 3:
            broker.close()
    assert kinds == [m.Hello, m.Ping, m.Ping]


def test_frames_are_small_before_the_handshake() -> None:
    broker = session(Role.BROKER, State.HANDSHAKE)
    with pytest.raises(ProtocolError) as caught:
        feed(broker, encode_prefix(0x01, b"\x80", 4096, 1))
    assert caught.value.kind is LIMIT_EXCEEDED
    opened = session(Role.BROKER)
    opened.open(frame_bytes_max=10_000)
    assert feed(opened, encode_prefix(0x22, b"\x80", 9_999, 1)) == []
    with pytest.raises(ProtocolError):
        feed(session(Role.BROKER, State.HANDSHAKE), encode_prefix(0x22, b"\x80", 9_999, 1))


@pytest.mark.parametrize("opcode", OPCODES)
def test_payload_is_refused_where_none_is_allowed(opcode: int) -> None:
    example = BY_OPCODE[opcode]
    data = encode_message(example.message, correlation=example.correlation, payload_bytes=1) + b"x"
    for role, state in ALLOWED:
        if type(example.message) not in ALLOWED[role, state]:
            continue
        if type(example.message) in WITH_PAYLOAD:
            assert feed(session(role, state), data)[0].payload.tobytes() == b"x"
        else:
            with pytest.raises(ProtocolError, match="with a payload of 1 bytes"):
                feed(session(role, state), data)


def test_who_may_have_a_payload() -> None:
    assert {kind.__name__ for kind in WITH_PAYLOAD} == {
        "Publish", "Deliver", "Leased", "Settle", "Settled", "Started", "Extend", "LeaseLost",
        "DeadPage", "Redrive", "Discard", "Schedule", "ScheduleInfo", "SchedulePage",
    }  # fmt: skip


@pytest.mark.parametrize("opcode", OPCODES)
def test_request_needs_a_correlation(opcode: int) -> None:
    example = BY_OPCODE[opcode]
    data = encode_message(example.message, payload_bytes=len(example.payload)) + example.payload
    for state in (State.HANDSHAKE, State.OPEN):
        if not expected(example.name, Role.BROKER, state):
            continue
        if example.name in EITHER | ONLY_HANDSHAKE | {"Credit", "Started"}:
            assert len(feed(session(Role.BROKER, state), data)) == 1
        else:
            with pytest.raises(ProtocolError, match="without a correlation"):
                feed(session(Role.BROKER, state), data)


def test_correlations_are_never_0() -> None:
    client = session(Role.CLIENT)
    assert [client.next_correlation() for _ in range(3)] == [1, 2, 3]
    client._correlation = 2**32 - 2
    assert [client.next_correlation() for _ in range(2)] == [2**32 - 1, 1]


def test_frame_head_announces_the_payload() -> None:
    client = session(Role.CLIENT)
    head = client.frame_head(m.Publish(1, 2, 3), 1.0, correlation=9, payload_bytes=5)
    received = feed(session(Role.BROKER), head + b"12345")
    assert received == [Received(m.Publish(1, 2, 3), 9, memoryview(b"12345"))]


def test_buffer_is_filled_by_the_caller() -> None:
    broker = session(Role.BROKER)
    data = encode_message(m.Ping(), correlation=2)
    buffer = broker.get_buffer()
    buffer[: len(data)] = data
    broker.received(len(data), 4.0)
    assert [event.message for event in broker.events()] == [m.Ping()]
    assert len(data) == PREFIX_BYTES + 1


def test_handshake_has_a_deadline() -> None:
    broker = session(Role.BROKER, State.HANDSHAKE)
    broker.check_alive(4.9)
    feed(broker, b"\xf1", now=4.9)  # a byte now and then does not help
    with pytest.raises(ProtocolError, match="no handshake within 5 s") as caught:
        broker.check_alive(5.0)
    assert caught.value.kind is TIMED_OUT


def test_deadline_of_the_handshake_may_be_another() -> None:
    broker = Session(Role.BROKER, 10.0, handshake_deadline_s=1.5)
    broker.check_alive(11.4)
    with pytest.raises(ProtocolError, match=r"no handshake within 1\.5 s"):
        broker.check_alive(11.5)


def test_two_missed_heartbeats_are_the_end() -> None:
    client = session(Role.CLIENT)
    client.open(frame_bytes_max=100, heartbeat_s=3.0)
    client.check_alive(5.9)
    feed(client, b"\xf1", now=4.0)
    client.frame_head(m.Ping(), 7.0)
    client.frame_head(m.Done(), 9.0)  # what is sent does not count
    client.check_alive(9.9)
    with pytest.raises(ProtocolError, match="silent for 6") as caught:
        client.check_alive(10.0)
    assert caught.value.kind is TIMED_OUT


def test_nobody_is_given_up_before_it_was_asked() -> None:
    """Who stood still itself finds everybody silent."""
    broker = session(Role.BROKER)
    broker.open(frame_bytes_max=100, heartbeat_s=3.0)
    broker.frame_head(m.Ping(), 4.0)
    feed(broker, b"\xf1", now=5.0)
    broker.check_alive(1000.0)
    assert broker.wants_ping(1000.0)
    broker.frame_head(m.Ping(), 1000.0)
    broker.check_alive(1002.9)
    with pytest.raises(ProtocolError, match="silent for 998"):
        broker.check_alive(1003.0)


def test_ping_is_wanted_after_silence_of_either_side() -> None:
    for heard, sent in ((0.0, 9.0), (9.0, 0.0)):
        broker = session(Role.BROKER)
        broker.open(frame_bytes_max=100, heartbeat_s=10.0)
        feed(broker, b"\xf1", now=heard)
        broker.frame_head(m.Done(), sent)
        assert not broker.wants_ping(9.9)
        assert broker.wants_ping(10.0)


def test_one_ping_a_heartbeat_is_enough() -> None:
    broker = session(Role.BROKER)
    broker.open(frame_bytes_max=100, heartbeat_s=10.0)
    assert broker.wants_ping(12.0)
    broker.frame_head(m.Ping(), 12.0)
    assert not broker.wants_ping(13.0)
    assert broker.wants_ping(22.0)


@pytest.mark.parametrize("state", [State.HANDSHAKE, State.CLOSED])
def test_no_ping_is_wanted_unless_open(state: State) -> None:
    assert not session(Role.BROKER, state).wants_ping(1000.0)
