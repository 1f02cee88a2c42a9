"""The decoders of the protocol."""

from collections.abc import Callable, Iterator

from tapemq.wire.entries import (
    pack_runs,
    pack_times,
    pack_tokens,
    unpack_runs,
    unpack_times,
    unpack_tokens,
)
from tapemq.wire.errors import ProtocolError
from tapemq.wire.limits import FRAME_BYTES_MAX
from tapemq.wire.messages import OPCODE_OF, SHAPES
from tapemq.wire.pages import pack_page, unpack_page
from tapemq.wire.session import ALLOWED, Role, Session, State
from tests.support.fuzz.fuzzing import Decoder
from tests.support.wire_codec import GOLDEN, encoded, received
from tests.support.wire_examples import EXAMPLES

_REFUSED = (ProtocolError,)


def decoders() -> Iterator[Decoder]:
    """Frames for each side in each state, the header of each message, and packed payloads."""
    for role, state in ALLOWED:
        names = {kind.__name__ for kind in ALLOWED[role, state]}
        frames = [frame for name, frame in GOLDEN.items() if name in names]
        name = f"frames for a {role.value} in {state.value}"
        yield Decoder(name, frames, _session(role, state), _REFUSED)
    for example in EXAMPLES:
        shape = SHAPES[OPCODE_OF[type(example.message)]]
        header = shape.encode(example.message)
        name = f"message {example.name}"
        yield Decoder(name, [header], shape.decode, _REFUSED, is_packed=True)
    tokens, runs = pack_tokens([(1, 5, 2), (2, 9, 1)]), pack_runs([(1, 2), (5, 9)])
    yield Decoder("lease tokens", [tokens], unpack_tokens, _REFUSED)
    pages = [pack_page([{"a": 1, "b": b"x"}])]
    yield Decoder("page", pages, unpack_page, _REFUSED, is_packed=True)
    yield Decoder("runs of offsets", [runs], unpack_runs, _REFUSED)
    yield Decoder("times of records", [pack_times([0, 5, 2**64 - 1])], unpack_times, _REFUSED)


def _session(role: Role, state: State) -> Callable[[bytes], object]:
    def decode(data: bytes) -> None:
        """What is taken is taken again, the same, when it is encoded."""
        for example in received(_made(role, state), data):
            assert received(_made(role, state), encoded(example)) == [example]

    return decode


def _made(role: Role, state: State) -> Session:
    made = Session(role, 0.0)
    if state is State.OPEN:
        made.open(frame_bytes_max=FRAME_BYTES_MAX)
    return made
