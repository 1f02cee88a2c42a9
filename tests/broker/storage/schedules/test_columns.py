import pytest

from tapemq_broker.storage.schedules.columns import (
    checked,
    firing_of,
    schedule_of,
    to_blob,
    to_topic_id,
    topic_of,
    with_checksum,
)
from tapemq_broker.storage.schedules.index import BeginFiring, DueRow, IndexDamaged, Row

TOPIC = to_blob(2**63 + 7)
ROW = Row(1, 0, 100, 0, b"key", 0, b"head", b"record")


def test_what_is_put_is_what_is_found() -> None:
    assert to_topic_id(TOPIC) == 2**63 + 7
    assert schedule_of(with_checksum(TOPIC, *ROW)) == DueRow(2**63 + 7, ROW)
    firing = BeginFiring(1, 2, b"data")
    assert firing_of(with_checksum(TOPIC, *firing)) == firing
    assert topic_of(with_checksum(TOPIC, 3, 2, 1, 100)) == (3, 2, 1)
    assert topic_of(with_checksum(TOPIC, 3, 0, 1, None)) == (3, 0, 1)


@pytest.mark.parametrize("position", range(9))
def test_no_column_can_be_another_value(position: int) -> None:
    row = list(with_checksum(TOPIC, *ROW))
    value = row[position]
    row[position] = value + 1 if isinstance(value, int) else value + b"\0"
    with pytest.raises(IndexDamaged, match="checksum"):
        schedule_of(tuple(row))


def test_what_is_at_the_end_of_a_column_is_not_at_the_beginning_of_the_next() -> None:
    row, shifted = ROW._replace(key=b"ab", head=b"c"), ROW._replace(key=b"a", head=b"bc")
    assert with_checksum(TOPIC, *row)[-1] != with_checksum(TOPIC, *shifted)[-1]


def test_a_number_is_not_the_text_of_it() -> None:
    with pytest.raises(IndexDamaged, match="types"):
        firing_of(with_checksum(TOPIC, "1", 2, b"data"))


def test_part_of_a_row_is_checked_for_what_no_row_has() -> None:
    assert checked((1, b"x"), int, bytes) == (1, b"x")
    with pytest.raises(IndexDamaged, match="types int, str"):
        checked((1, "x"), int, bytes)
    with pytest.raises(IndexDamaged, match="below 0"):
        checked((-1, b"x"), int, bytes)
