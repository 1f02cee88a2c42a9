import struct
import tracemalloc
from typing import Any, NamedTuple

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.wire.errors import ProtocolError
from tapemq.wire.fields import Settings, Shape
from tapemq.wire.limits import HEADER_BYTES_MAX, MAPS_MAX, TEXT_BYTES_MAX
from tapemq.wire.messages import SHAPES

GOOD: dict[str, list[Any]] = {
    "u64": [0, 1, 2**64 - 1],
    "boolean": [False, True],
    "text": ["", "ü", "n" * TEXT_BYTES_MAX],
    "bytes": [b"", b"\xff" * TEXT_BYTES_MAX],
    "array of text": [[], ["a", ""], ["a"] * 64],
    "array of u64": [[], [0, 2**64 - 1], [1] * 64],
    "map of settings": [{}, {"a": -1, "b": "c", "d": True}, {f"{n}": n for n in range(64)}],
}
BAD: dict[str, list[Any]] = {
    "u64": [-1, 1.0, True, None, "1", b"1", [], {}],
    "boolean": [0, 1, None, "true", [], {}],
    "text": [0, None, b"a", [], {}, False, "n" * (TEXT_BYTES_MAX + 1), "ü" * TEXT_BYTES_MAX],
    "bytes": [0, None, "a", [], {}, b"b" * (TEXT_BYTES_MAX + 1)],
    "array of text": [None, "a", [1], [b"a"], [None], ["a", ["b"]], {}, ["a"] * 65],
    "array of u64": [None, 1, ["1"], [-1], [True], [1.0], [[1]], {}, [1] * 65],
    "map of settings": [
        *(None, [], {1: 1}, {b"a": 1}, {"a": None}, {"a": 1.5}, {"a": []}, {"a": b"b"}, {"a": {}}),
        *({f"{n}": n for n in range(65)}, {"a" * 4097: 1}, {"a": "b" * 4097}),
    ],
}
FIELDS = [(shape, name) for shape in SHAPES.values() for name in shape.names]
FIELD_IDS = [f"{shape.message.__name__}.{name}" for shape, name in FIELDS]


def example(shape: Shape, **changes: Any) -> dict[str, Any]:
    """A map with every field of the message."""
    return {name: GOOD[shape.types[name]][1] for name in shape.names} | changes


def test_there_are_good_and_bad_values_of_every_type() -> None:
    used = {kind for shape in SHAPES.values() for kind in shape.types.values()}
    assert used == GOOD.keys() == BAD.keys()


@pytest.mark.parametrize(("shape", "name"), FIELDS, ids=FIELD_IDS)
def test_field_takes_values_of_its_type_and_no_others(shape: Shape, name: str) -> None:
    for value in GOOD[shape.types[name]]:
        message = shape.message(**example(shape, **{name: value}))
        assert shape.decode(shape.encode(message)) == message
    for value in BAD[shape.types[name]]:
        fields = example(shape, **{name: value})
        with pytest.raises(ProtocolError):
            shape.decode(msgpack.packb(fields))
        if name in shape.defaults and shape.defaults[name] == value:
            continue  # 0 for False and 1 for True are left out as any default
        with pytest.raises(ProtocolError, match=rf"{shape.message.__name__}\.{name} is "):
            shape.encode(shape.message(**fields))


@pytest.mark.parametrize(("shape", "name"), FIELDS, ids=FIELD_IDS)
def test_field_may_be_left_out_only_if_it_has_a_default(shape: Shape, name: str) -> None:
    fields = example(shape)
    del fields[name]
    if name in shape.defaults:
        assert getattr(shape.decode(msgpack.packb(fields)), name) == shape.defaults[name]
    else:
        with pytest.raises(ProtocolError, match=f"misses {name}"):
            shape.decode(msgpack.packb(fields))


class Some(NamedTuple):
    """A message with a field of each kind that matters here."""

    number: int
    text: str = "default"
    names: list[str] = []  # noqa: RUF012
    settings: Settings = {}  # noqa: RUF012


SHAPE = Shape(Some)


def decode(header: bytes) -> Some:
    found: Some = SHAPE.decode(header)
    return found


@given(
    st.builds(
        Some,
        st.integers(0, 2**64 - 1),
        st.text(),
        st.lists(st.text(max_size=9), max_size=9),
        st.dictionaries(st.text(max_size=9), st.integers(-(2**63), 2**64 - 1), max_size=9),
    )
)
def test_round_trip(message: Some) -> None:
    assert decode(SHAPE.encode(message)) == message


def test_defaults_are_left_out() -> None:
    assert SHAPE.encode(Some(5)) == b"\x81\xa6number\x05"
    assert SHAPE.encode(Some(5, "default", [], {})) == b"\x81\xa6number\x05"
    assert SHAPE.encode(Some(5, "")) == b"\x82\xa6number\x05\xa4text\xa0"


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_text_that_has_no_utf_8_is_not_encoded(text: str) -> None:
    with pytest.raises(ProtocolError, match="Some cannot be encoded"):
        SHAPE.encode(Some(1, text))


def test_number_of_more_than_64_bits_is_not_encoded() -> None:
    with pytest.raises(ProtocolError, match=r"Some\.number is 18446744073709551616, not u64"):
        SHAPE.encode(Some(2**64))


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1])
def test_setting_of_more_than_64_bits_is_not_encoded(number: int) -> None:
    with pytest.raises(ProtocolError, match="Some cannot be encoded"):
        SHAPE.encode(Some(1, settings={"a": number}))


NEWER: list[Any] = [
    None,
    True,
    -5,
    "text",
    b"bytes",
    [],
    {},
    [[[[[[[[]]]]]]]],
    {"a": {"b": [1, None]}},
    [{}] * (MAPS_MAX - 1),
    [[0] * 63] * 16,
    [{"a": [0] * 62}] * 16,
]


@pytest.mark.parametrize("value", NEWER)
def test_unknown_field_is_skipped(value: Any) -> None:
    for fields in ({"number": 1, "newer": value}, {"newer": value, "number": 1}):
        assert decode(msgpack.packb(fields)) == Some(1)


NUMBER = b"\xa6number\x01"
HOSTILE = {
    "nothing": b"",
    "nil": b"\xc0",
    "an array": b"\x90",
    "text": b"\xa1a",
    "an integer": b"\x01",
    "the code that is never used": b"\xc1",
    "trailing bytes": b"\x81" + NUMBER + b"\xc0",
    "fewer entries than said": b"\x82" + NUMBER,
    "a field twice": b"\x82" + NUMBER * 2,
    "an unknown field twice": b"\x83" + NUMBER + b"\xa1a\x01" * 2,
    "a setting twice": b"\x82" + NUMBER + b"\xa8settings\x82" + b"\xa1a\x01" * 2,
    "bytes as name": b"\x82" + NUMBER + b"\xc4\x01a\x01",
    "bytes as name of a known field": b"\x81\xc4\x06number\x01",
    "an integer as name": b"\x82" + NUMBER + b"\x01\x01",
    "nil as name": b"\x82" + NUMBER + b"\xc0\x01",
    "bytes as name further down": b"\x82" + NUMBER + b"\xa1a\x81\xc4\x01a\x01",
    "a float": b"\x82" + NUMBER + b"\xa1a\xcb" + struct.pack(">d", 1.5),
    "not a number": b"\x82" + NUMBER + b"\xa1a\xca" + struct.pack(">f", float("nan")),
    "a float further down": b"\x82" + NUMBER + b"\xa1a\x91\xca" + struct.pack(">f", 1.5),
    "an extension": b"\x82" + NUMBER + b"\xa1a\xd4\x05\x00",
    "an empty extension": b"\x82" + NUMBER + b"\xa1a\xc7\x00\x05",
    "a timestamp": b"\x82" + NUMBER + b"\xa1a\xd6\xff\x00\x00\x00\x00",
    "text that is no UTF-8": b"\x82" + NUMBER + b"\xa4text\xa1\xff",
    "a surrogate": b"\x82" + NUMBER + b"\xa4text\xa3\xed\xa0\x80",
    "a name that is no UTF-8": b"\x82" + NUMBER + b"\xa1\xff\x01",
    "long text": b"\x82" + NUMBER + b"\xa1a\xda\x10\x01" + b"a" * 4097,
    "long bytes": b"\x82" + NUMBER + b"\xa1a\xc5\x10\x01" + b"a" * 4097,
    "a long array": b"\x82" + NUMBER + b"\xa1a\xdc\x00\x41" + b"\x00" * 65,
    "a claim of an array": b"\x82" + NUMBER + b"\xa1a\xdd\xff\xff\xff\xff",
    "a claim of a map": b"\xdf\xff\xff\xff\xff",
    "a claim of text": b"\x82" + NUMBER + b"\xa1a\xdb\xff\xff\xff\xff",
    "a claim of bytes": b"\x82" + NUMBER + b"\xa1a\xc6\xff\xff\xff\xff",
    "nine arrays": b"\x82" + NUMBER + b"\xa1a" + b"\x91" * 9 + b"\xc0",
    "nine maps": b"\x82" + NUMBER + b"\xa1a" + b"\x81\xa1a" * 9 + b"\xc0",
    "a deep nest": b"\x82" + NUMBER + b"\xa1a" + b"\x91" * 1000 + b"\xc0",
    "a deeper nest": b"\x82" + NUMBER + b"\xa1a" + b"\x91" * 10_000 + b"\xc0",
    "a deep nest in a known field": b"\x81\xa6number" + b"\x91" * 1000 + b"\xc0",
    "as many maps as are too many": b"\x82" + NUMBER + b"\xa1a\xdc\x00\x40" + b"\x80" * 64,
    "maps within maps": b"\x82" + NUMBER + b"\xa1a" + (b"\x98" + b"\x81\xa1a\x80" * 8) * 5,
    "many values": b"\x82"
    + NUMBER
    + b"\xa1a"
    + b"\xdc\x00\x10"
    + (b"\xdc\x00\x40" + bytes(64)) * 16,
    "many values in maps": b"\x82"
    + NUMBER
    + b"\xa1a"
    + b"\xdc\x00\x11"
    + (b"\x81\xa1a\xdc\x00\x3b" + bytes(59)) * 17,
    "a long list in a known field": b"\x81\xa6number\xdc\x00\x40" + (b"\xd9\xfa" + b"a" * 250) * 64,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_header_is_refused(name: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        SHAPE.decode(memoryview(HOSTILE[name]))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([{}] * MAPS_MAX, "more than 64 maps"),
        ([[{"a": {}}] * 8] * 5, "more than 64 maps"),
        ([[0] * 64] * 16, "none that could ever be"),
        ([{"a": [0] * 64}] * 16, "none that could ever be"),
    ],
)
def test_more_maps_or_values_than_a_header_may_have(value: Any, why: str) -> None:
    """What each costs, some thousand of them would hold everybody up for."""
    with pytest.raises(ProtocolError, match=why):
        decode(msgpack.packb({"number": 1, "newer": value}))


def tree(item: bytes, size_bytes: int) -> bytes:
    """Arrays of 64 arrays of 64 ... of the item."""
    while len(item) * 64 < size_bytes:
        item = b"\xdc\x00\x40" + item * 64
    return b"\x81\xa1a\xdc\x00\x40" + item * min(64, size_bytes // len(item))


@pytest.mark.parametrize(
    "header",
    [
        tree(b"\x80", HEADER_BYTES_MAX),
        tree(b"\x90", HEADER_BYTES_MAX),
        b"\x81\xa1a" + b"\xdc\x00\x40" * (HEADER_BYTES_MAX // 3),
        b"\x81\xa1a" + b"\xde\x00\x40\xa1a" * (HEADER_BYTES_MAX // 5),
    ],
    ids=["empty maps", "empty arrays", "open arrays", "open maps"],
)
def test_bomb_within_the_limits_takes_bounded_memory(header: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(ProtocolError):
        SHAPE.decode(header[:HEADER_BYTES_MAX])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_500_000


def test_every_truncation_is_refused() -> None:
    header = SHAPE.encode(Some(70_000, "text", ["a", "b"], {"c": 1}))
    for cut in range(len(header)):
        with pytest.raises(ProtocolError):
            SHAPE.decode(header[:cut])


def test_trailing_bytes_behind_a_deep_nest_are_refused() -> None:
    with pytest.raises(ProtocolError, match="ExtraData"):
        SHAPE.decode(b"\x91" * 1000 + b"\xc0\xc0")
