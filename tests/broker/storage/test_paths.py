import pytest

from tapemq_broker.storage.paths import (
    base_offset_of,
    base_offsets,
    index_path,
    segment_path,
    state_path,
)


def test_names_sort_by_offset() -> None:
    assert segment_path("a/b", 0) == "a/b/00000000000000000000.log"
    assert index_path("a/b", 123) == "a/b/00000000000000000123.index"
    assert state_path("a/b", 2**64 - 1) == "a/b/18446744073709551615.state"


@pytest.mark.parametrize(
    "name",
    [
        *("log", ".log", "1.log", "0000000000000000000x.log", "00000000000000000001.log.tmp"),
        *("00000000000000000001.index", "+0000000000000000001.log", "\u0660" * 20 + ".log"),
    ],
)
def test_other_names_have_no_offset(name: str) -> None:
    assert base_offset_of(name, ".log") is None


def test_offsets_are_found_in_a_listing() -> None:
    names = ["00000000000000000012.log", "00000000000000000003.log", "x/", "torn.tmp"]
    assert base_offsets([*names, "00000000000000000004.index"], ".log") == [3, 12]
