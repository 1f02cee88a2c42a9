from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch.columns import encode_column


def test_tables_are_big_endian() -> None:
    assert encode_column([b"ab", None]).table == b"\0\0\0\2\xff\xff\xff\xff"


@given(st.lists(st.none() | st.binary(max_size=30), max_size=30))
def test_entries_are_those_that_are_there(items: list[bytes | None]) -> None:
    table, entries, sparse = encode_column(items)
    assert len(table) == 4 * len(items)
    assert sparse == (None in items)
    assert b"".join(entries) == b"".join(item for item in items if item is not None)
