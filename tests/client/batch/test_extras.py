import struct
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import given

from tapemq.batch import BatchError, Scalar, decode_extras, encode_extras
from tapemq.batch.extras import check_extras
from tapemq.batch.limits import EXTRAS_BYTES_MAX
from tests.support.batches import entries


def check_one(data: bytes) -> None:
    check_extras([b"", encode_extras({"good": 1}), data, b""])


READERS = [decode_extras, check_one]


@given(entries, entries)
def test_round_trip(headers: dict[str, Scalar], attributes: dict[str, Scalar]) -> None:
    data = encode_extras(headers, attributes)
    assert decode_extras(data) == (headers, attributes)
    assert bool(data) == bool(headers or attributes)
    check_one(data)


def test_golden_extras_both_ways() -> None:
    data = b"\x92\x84\xa1t\xa1v\xa1b\xc4\x01\x00\xa1i\xff\xa1y\xc3\x81\xa1e\xcd\x03\xe8"
    maps: tuple[dict[str, Scalar], ...] = ({"t": "v", "b": b"\0", "i": -1, "y": True}, {"e": 1000})
    assert encode_extras(*maps) == data
    assert decode_extras(data) == maps


def test_nothing_takes_no_bytes() -> None:
    assert encode_extras(None) == encode_extras({}, {}) == b""
    assert decode_extras(b"") == ({}, {})
    assert decode_extras(b"\x92\x80\x80") == ({}, {})


@pytest.mark.parametrize(
    "headers",
    [
        {"a": 1.5},
        {"a": None},
        {"a": ["b"]},
        {"a": {}},
        {1: "a"},
        {b"a": "a"},
        {"a": 2**64},
        {"a": -(2**63) - 1},
        {"a": "\ud800"},
        {"\udfff": "a"},
        {f"{number}": "a" for number in range(65)},
        {"a": "b" * EXTRAS_BYTES_MAX},
    ],
)
def test_what_cannot_rest_is_not_encoded(headers: dict[Any, Any]) -> None:
    with pytest.raises(BatchError, match="header"):
        encode_extras(headers)
    with pytest.raises(BatchError, match="header"):
        encode_extras(None, headers)


def test_largest_extras() -> None:
    most: dict[str, Scalar] = {f"{number:02}": number for number in range(64)}
    data = encode_extras(most, most)
    assert decode_extras(data) == (most, most)
    check_one(data)
    whole = encode_extras({"a": b"b" * (EXTRAS_BYTES_MAX - 8)})
    assert len(whole) == EXTRAS_BYTES_MAX
    check_one(whole)


LONG_MAP = b"\xde\x00\x10" + b"\xa1a\x01" * 16
MAP_OF_65 = b"\xde\x00\x41" + b"".join(b"\xa1" + bytes([n]) + b"\x00" for n in range(65))
HOSTILE = {
    "nothing": b"\xc0",
    "a map": b"\x80",
    "an array of one": b"\x91\x80",
    "an array of three": b"\x93\x80\x80\x80",
    "an array of texts": b"\x92\xa1a\xa1b",
    "an array that holds less": b"\x92\x80",
    "trailing bytes": b"\x92\x80\x80\x80",
    "a nil": b"\x92\x81\xa1a\xc0\x80",
    "a float": b"\x92\x81\xa1a\xcb" + struct.pack(">d", 1.5) + b"\x80",
    "not a number": b"\x92\x81\xa1a\xca" + struct.pack(">f", float("nan")) + b"\x80",
    "an array as value": b"\x92\x81\xa1a\x90\x80",
    "a map as value": b"\x92\x81\xa1a\x80\x80",
    "an extension": b"\x92\x81\xa1a\xd4\x05\x00\x80",
    "an empty extension": b"\x92\x81\xa1a\xc7\x00\x05\x80",
    "a timestamp": b"\x92\x81\xa1a\xd6\xff\x00\x00\x00\x00\x80",
    "bytes as name": b"\x92\x81\xc4\x01a\x00\x80",
    "an integer as name": b"\x92\x81\x00\x00\x80",
    "an array as name": b"\x92\x81\x90\x00\x80",
    "text that is no UTF-8": b"\x92\x81\xa1a\xa1\xff\x80",
    "a surrogate": b"\x92\x81\xa1a\xa3\xed\xa0\x80\x80",
    "a name that is no UTF-8": b"\x92\x81\xa1\xff\x00\x80",
    "too many entries": b"\x92" + MAP_OF_65 + b"\x80",
    "a claim of many entries": b"\x92\xdf\xff\xff\xff\xff",
    "a claim of much text": b"\x92\x81\xdb\xff\xff\xff\xff",
    "a claim of many bytes": b"\x92\x81\xa1a\xc6\xff\xff\xff\xff",
    "the code that is never used": b"\x92\x81\xa1a\xc1\x80",
    "a deep nest": b"\x92" * EXTRAS_BYTES_MAX,
    "a name as long as can be": b"\x92\x81\xc5\x3f\x00" + b"a" * 0x3F00 + b"\x00\x80",
    "too many bytes": msgpack.packb([{"a": b"b" * EXTRAS_BYTES_MAX}, {}]),
}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused(read: Callable[[bytes], object], name: str) -> None:
    with pytest.raises(BatchError) as caught:
        read(HOSTILE[name])
    assert len(str(caught.value)) < 300


def test_name_given_twice_is_refused_where_a_batch_enters() -> None:
    data = b"\x92\x80\x82\xa1a\x00\xa1a\x01"
    for twice in (data, b"\x92\x82\xa1a\x00\xa1a\x01\x80", b"\x92" + LONG_MAP + b"\x80"):
        with pytest.raises(BatchError, match="twice"):
            check_one(twice)
    assert decode_extras(data) == ({}, {"a": 1})


@pytest.mark.parametrize("read", READERS)
def test_empty_maps_take_bounded_memory(read: Callable[[bytes], object]) -> None:
    tree = b"\x80"
    while len(tree) * 64 < EXTRAS_BYTES_MAX:
        tree = b"\xde\x00\x40" + b"".join(b"\xa1" + bytes([n]) + tree for n in range(64))
    data = b"\x92\x81\xa1a" + tree + b"\x80"
    tracemalloc.start()
    with pytest.raises(BatchError):
        read(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize("read", READERS)
def test_every_truncation_is_refused(read: Callable[[bytes], object]) -> None:
    data = encode_extras({"t": "v", "b": b"\0", "i": -1, "y": True}, {"e": 1000})
    for cut in range(1, len(data)):
        with pytest.raises(BatchError):
            read(data[:cut])
