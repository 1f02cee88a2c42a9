from typing import Any

import msgpack
import pytest

from tapemq_broker.core.packed import BadEntry, check, check_list, unpack, unpack_list, unpack_map


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x92\x01", b"\x01\x02", b"\xa1\xff"])
def test_what_is_not_packed_is_bad(data: bytes) -> None:
    with pytest.raises(BadEntry, match="not packed"):
        unpack(data)


@pytest.mark.parametrize(
    ("value", "kind"), [(True, int), (1, bool), (-1, int), (1.0, int), (None, str), (b"", str)]
)
def test_types_are_exact_and_numbers_have_no_sign(value: Any, kind: type) -> None:
    with pytest.raises(BadEntry, match="size is"):
        check(value, kind, "size")


def test_good_values_are_what_they_are() -> None:
    assert check(2**64 - 1, int, "size") == 2**64 - 1
    assert check(False, bool, "flag") is False


def test_a_map_has_all_fields_and_others_are_skipped() -> None:
    data = msgpack.packb({"a": 1, "b": "x", "newer": 9})
    assert unpack_map(data, {"a": int, "b": str}) == {"a": 1, "b": "x"}
    with pytest.raises(BadEntry, match="c is None, not of type int"):
        unpack_map(data, {"a": int, "c": int})
    with pytest.raises(BadEntry, match="the whole is 7"):
        unpack_map(msgpack.packb(7), {"a": int})


def test_a_list_begins_with_its_fields() -> None:
    data = msgpack.packb([1, "x", 9])
    assert unpack_list(data, (int, str)) == [1, "x"]
    assert check_list([1, "x", 9], (int, str)) == [1, "x", 9]
    for kinds in ((int, int), (int, str, int, int)):
        with pytest.raises(BadEntry):
            unpack_list(data, kinds)


def test_long_values_are_not_told_in_full() -> None:
    with pytest.raises(BadEntry) as caught:
        check("x" * 1000, int, "size")
    assert len(str(caught.value)) < 200
