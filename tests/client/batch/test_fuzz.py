"""Whatever the bytes are: the only exception is BatchError, and what is accepted can be read."""

import struct
import tracemalloc
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch import (
    BatchError,
    Codec,
    Columns,
    check_body,
    decode_columns,
    decode_extras,
    decode_header,
    encode_body,
    encode_extras,
    iter_batches,
)
from tests.support.batches import codecs, columns
from tests.support.golden import read_golden
from tests.support.mutations import mutations

GOLDEN = read_golden("batch")
BODIES = [
    GOLDEN["body"],
    GOLDEN["empty value body"],
    GOLDEN["zlib body"],
    encode_body(Columns([b"a", b"b"], None, [encode_extras({"k": 1})] * 2), codec=Codec.ZSTD),
]


def accepted(body: bytes) -> bool:
    """Whether a broker takes the body; if so, a reader must be able to read all of it."""
    try:
        prefix, longest = check_body(body)
    except BatchError:
        return False
    values, keys, extras = decode_columns(body)
    assert len(values) == prefix.record_count
    for column in (keys, extras):
        assert column is None or len(column) == prefix.record_count
    sizes = [len(item) for item in (*values, *(keys or ())) if item is not None]
    assert longest == max(sizes, default=0)
    for item in extras or ():
        decode_extras(item)
    return True


def read_anyway(body: bytes) -> None:
    """A reader that nobody protects raises nothing else either."""
    try:
        for item in decode_columns(body).extras or ():
            decode_extras(item)
    except BatchError:
        pass


def test_mutated_bodies() -> None:
    taken = 0
    for body in mutations(BODIES, 20_000):
        taken += accepted(body)
        read_anyway(body)
    assert 1000 < taken < 19_000  # the mutations are neither all harmless nor all fatal


def test_mutated_batches() -> None:
    batches = [GOLDEN["header"] + GOLDEN["body"] + GOLDEN["mark"], GOLDEN["mark"]]
    for data in mutations(batches, 10_000):
        try:
            for header, body in iter_batches(data):
                assert header.body_length == len(body)
        except BatchError:
            pass


def test_mutated_headers_with_a_checksum_that_fits() -> None:
    for data in mutations([GOLDEN["header"][:84], GOLDEN["mark"][:84]], 10_000):
        head = data[:84].ljust(84, b"\0")
        try:
            header = decode_header(head + struct.pack(">I", crc32(head)))
        except BatchError:
            continue
        assert header.encode()[0][:84] == head


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    accepted(data)
    read_anyway(data)
    for prefix in (GOLDEN["body"][:44], GOLDEN["zlib body"][:44]):
        accepted(prefix + data)
    with pytest.raises(BatchError):
        decode_header(data[:87])


@given(columns(), codecs, st.data())
def test_any_bytes_written_over_a_body(records: Columns, codec: Codec, data: st.DataObject) -> None:
    body = bytearray(encode_body(records, codec=codec))
    at = data.draw(st.integers(0, len(body)))
    new = data.draw(st.binary(max_size=8))
    body[at : at + len(new)] = new
    accepted(bytes(body))
    read_anyway(bytes(body))


def test_mutated_bodies_take_little_memory() -> None:
    tracemalloc.start()
    for body in mutations(BODIES, 500, seed=1):
        accepted(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
