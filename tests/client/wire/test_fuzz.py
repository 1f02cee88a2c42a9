"""Whatever the bytes are: the only exception is ProtocolError, and memory stays bounded."""

import struct
import tracemalloc

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.wire.errors import ProtocolError
from tapemq.wire.frames import MAGIC
from tapemq.wire.limits import FRAME_BYTES_MAX
from tapemq.wire.messages import OPCODES, SHAPES
from tapemq.wire.session import ALLOWED, Role, Session, State
from tests.support.mutations import mutations
from tests.support.wire_codec import GOLDEN, encoded, received
from tests.support.wire_examples import Example

FRAMES = list(GOLDEN.values())
PREFIX = struct.Struct(">4sIBBHI")


def session(role: Role, state: State) -> Session:
    made = Session(role, 0.0)
    if state is State.OPEN:
        made.open(frame_bytes_max=FRAME_BYTES_MAX)
    return made


def accepted(role: Role, state: State, data: bytes) -> list[Example]:
    """The messages that a side takes from the data, if it does not refuse it."""
    try:
        return received(session(role, state), data)
    except ProtocolError as error:
        text = str(error)
    assert len(text) < 300
    return []


def framed(opcode: int, header: bytes, payload: bytes = b"") -> bytes:
    length = len(header) + len(payload)
    return PREFIX.pack(MAGIC, length, opcode, 0, len(header), 1) + header + payload


@pytest.mark.parametrize(("role", "state"), list(ALLOWED))
def test_mutated_frames(role: Role, state: State) -> None:
    names = {kind.__name__ for kind in ALLOWED[role, state]}
    seeds = [frame for name, frame in GOLDEN.items() if name in names]
    taken = 0
    for data in mutations(seeds, 10_000):
        for example in accepted(role, state, data):
            taken += 1
            assert accepted(role, state, encoded(example)) == [example]
    assert 100 < taken < 9_000  # the mutations are neither all harmless nor all fatal


def test_mutated_headers_in_frames_that_fit() -> None:
    headers = [frame[16:] for frame in FRAMES]
    opcodes = list(OPCODES) * 300
    for opcode, header in zip(opcodes, mutations(headers, len(opcodes), seed=2), strict=True):
        for role, state in ALLOWED:
            if OPCODES[opcode] in ALLOWED[role, state]:
                accepted(role, state, framed(opcode, header[:4000]))


@given(st.sampled_from(list(ALLOWED)), st.binary(max_size=300))
def test_any_bytes(where: tuple[Role, State], data: bytes) -> None:
    accepted(*where, data)
    accepted(*where, MAGIC + data)


@given(
    st.sampled_from(list(ALLOWED)),
    st.integers(0, 255),
    st.binary(max_size=100),
    st.binary(max_size=9),
)
def test_any_header(where: tuple[Role, State], opcode: int, header: bytes, payload: bytes) -> None:
    accepted(*where, framed(opcode, header, payload))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary()
    | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


@given(st.sampled_from(sorted(SHAPES)), st.data())
def test_any_values_of_the_right_fields(opcode: int, data: st.DataObject) -> None:
    names = st.sampled_from(SHAPES[opcode].names) if SHAPES[opcode].names else st.text()
    header = msgpack.packb(data.draw(st.dictionaries(names | st.text(), values, max_size=5)))
    for role, state in ALLOWED:
        accepted(role, state, framed(opcode, header))


def test_mutated_frames_take_little_memory() -> None:
    tracemalloc.start()
    for data in mutations(FRAMES, 1000, seed=1):
        accepted(Role.BROKER, State.OPEN, data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
