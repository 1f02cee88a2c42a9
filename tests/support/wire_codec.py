"""One check for every message: golden both ways, and however its bytes are cut."""

from tapemq.wire.limits import FRAME_BYTES_MAX
from tapemq.wire.messages import Message
from tapemq.wire.session import ALLOWED, Role, Session, State, encode_message
from tests.support.golden import read_golden
from tests.support.wire_examples import EXAMPLES, Example

GOLDEN = read_golden("frames")


def examples_of(module: str) -> list[Example]:
    """The examples whose messages are defined in ``tapemq.wire.messages.<module>``."""
    name = f"tapemq.wire.messages.{module}"
    return [example for example in EXAMPLES if type(example.message).__module__ == name]


def receiver(message: Message) -> Session:
    """A session that may receive the message."""
    for (role, state), kinds in ALLOWED.items():
        if type(message) in kinds:
            session = Session(role, 0.0)
            if state is State.OPEN:
                session.open(frame_bytes_max=FRAME_BYTES_MAX)
            return session
    raise AssertionError(f"nobody may receive {message}")


def may_send(message: Message) -> set[Role]:
    """The sides that may send the message: those whose peers may receive it."""
    receivers = {role for (role, _), kinds in ALLOWED.items() if type(message) in kinds}
    return {Role.CLIENT if role is Role.BROKER else Role.BROKER for role in receivers}


def received(session: Session, data: bytes) -> list[Example]:
    """The messages that the data completes."""
    session.reader.feed(data)
    return [Example(m, number, bytes(payload)) for m, number, payload in session.events()]


def encoded(example: Example) -> bytes:
    """The frame of an example."""
    return (
        encode_message(
            example.message, correlation=example.correlation, payload_bytes=len(example.payload)
        )
        + example.payload
    )


def check_codec(example: Example) -> None:
    """The example is its golden bytes, and these are it, whole or cut anywhere."""
    golden = GOLDEN[example.name]
    assert encoded(example) == golden
    assert received(receiver(example.message), golden) == [example]
    assert received(receiver(example.message), golden + golden[:3]) == [example]
    bytewise = receiver(example.message)
    assert [found for byte in golden for found in received(bytewise, bytes([byte]))] == [example]
    for cut in range(len(golden)):
        session = receiver(example.message)
        assert received(session, golden[:cut]) == []
        assert received(session, golden[cut:]) == [example]
