from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.wire.errors import ProtocolError
from tapemq.wire.limits import PAGE_ITEMS_MAX, TEXT_BYTES_MAX
from tapemq.wire.pages import pack_page, unpack_page

ROWS = [{"offset": 2**64 - 1, "reason": "attempts", "key": b"k", "all": True}, {}]


def test_rows_come_back() -> None:
    assert unpack_page(memoryview(pack_page(ROWS))) == ROWS
    assert unpack_page(pack_page([{}] * PAGE_ITEMS_MAX)) == [{}] * PAGE_ITEMS_MAX


@pytest.mark.parametrize(
    "value",
    [
        {},
        [1],
        "text",
        [{}] * (PAGE_ITEMS_MAX + 1),
        [{"text": "x" * (TEXT_BYTES_MAX + 1)}],
        [{1: 2}],
        [{"x": msgpack.ExtType(1, b"x")}],
    ],
    ids=["map", "number", "text", "rows", "long", "names", "ext"],
)
def test_what_is_no_page_is_refused(value: Any) -> None:
    with pytest.raises(ProtocolError, match="page"):
        unpack_page(msgpack.packb(value))


def test_bytes_behind_the_page_are_refused() -> None:
    with pytest.raises(ProtocolError):
        unpack_page(pack_page(ROWS) + b"\x90")


@given(st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    with suppress(ProtocolError):
        unpack_page(data)
