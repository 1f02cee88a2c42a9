"""What is in the file of the index, and was not put there."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tapemq_broker.storage.schedules.columns import to_blob
from tapemq_broker.storage.schedules.index import (
    BeginFiring,
    IndexDamaged,
    Put,
    Remove,
    Row,
    TopicState,
)
from tapemq_broker.storage.schedules.sqlite_index import SqliteScheduleIndex
from tests.support.mislaid import lose_position, name_twice

ROW = Row(1, 0, 100, 0, b"key", 0, b"head", b"record")


@pytest.mark.parametrize("column", ["record", "head", "key", "due_us", "position", "fired"])
def test_a_row_that_was_changed_is_found_out(tmp_path: Path, column: str) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 1, [Put(ROW)])
    with sqlite3.connect(tmp_path / "index") as db:
        db.execute(f"UPDATE schedule SET {column} = {column} || '9'")
    db.close()
    with pytest.raises(IndexDamaged):
        index.find(7, 1)
    index.close()


def _change(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as db:
        for statement in statements:
            db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE topic SET upto = 3",
        "UPDATE topic SET count = 2",
        "UPDATE topic SET firings = 0",
        "UPDATE topic SET first_due_us = 101",
        "UPDATE topic SET first_due_us = NULL",
        "UPDATE topic SET topic_id = x'0000000000000008'",
        "UPDATE firing SET partition = 1",
        "UPDATE firing SET position = 2",
        "UPDATE firing SET data = x'00'",
        "UPDATE firing SET topic_id = x'0000000000000008'",
        "DELETE FROM firing",
    ],
)
def test_what_else_the_state_of_a_topic_says_is_damage(tmp_path: Path, change: str) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 2, [Put(ROW), BeginFiring(0, 1, b"data")])
    _change(tmp_path / "index", change)
    with pytest.raises(IndexDamaged):
        _ = [index.state(topic) for topic in (7, 8)]
    index.close()


def test_a_row_of_another_topic_is_found_out(tmp_path: Path) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 1, [Put(ROW)])
    _change(tmp_path / "index", "UPDATE schedule SET topic_id = x'0000000000000008'")
    with pytest.raises(IndexDamaged, match="checksum"):
        index.find(8, 1)
    index.close()


def test_a_row_that_is_due_at_another_time_than_its_place_in_the_order_says_is_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 1, [Put(ROW)])
    monkeypatch.setattr(index, "_due_of", lambda *_: [(50, to_blob(7), 1)])
    with pytest.raises(IndexDamaged, match="in the order at 50, and due at 100"):
        index.due(100, 10, 10**9)
    index.close()


def test_a_schedule_that_is_in_the_order_twice_is_damage(tmp_path: Path) -> None:
    path, due_us = tmp_path / "index", 10**15
    index = SqliteScheduleIndex(path)
    index.apply(7, 3, [Put(Row(n, n, due_us, 0, b"", 0, b"head", b"record")) for n in (1, 2, 3)])
    index.close()
    name_twice(path, 7, due_us, 3, instead_of=2)
    index = SqliteScheduleIndex(path)
    with pytest.raises(IndexDamaged, match="in the order twice"):
        index.due(due_us, 10, 10**9)
    index.close()


def test_a_schedule_that_the_order_of_positions_lacks_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "index"
    index = SqliteScheduleIndex(path)
    rows = [Row(n, n - 1, 100, 0, b"", 0, b"head", b"record") for n in range(1, 9)]
    index.apply(7, 8, [*map(Put, rows), Remove(1), Remove(2), Put(rows[4]._replace(position=8))])
    index.check_none_before(7, 2)
    with pytest.raises(IndexDamaged, match="schedule 3 is not in its place"):
        index.check_none_before(7, 3)
    index.close()
    lose_position(path, 7, 3)
    index = SqliteScheduleIndex(path)
    assert index.oldest(7, 1, 10**9) == [rows[3]]
    with pytest.raises(IndexDamaged, match="schedule 3 is not in its place"):
        index.check_none_before(7, rows[3].position)
    index.close()


def test_a_name_in_the_file_that_is_no_text_any_more_is_damage(tmp_path: Path) -> None:
    """What SQLite says of that is no UTF-8 either, and Python cannot make an error of it."""
    path = tmp_path / "index"
    index = SqliteScheduleIndex(path)
    index.apply(7, 1, [Put(ROW)])
    index.close()
    image = path.read_bytes()
    path.write_bytes(image.replace(b"INDEX by_time", b"INDEX by_\xf4ime"))
    index = SqliteScheduleIndex(path)
    assert index.topics() == []
    index.close()


@pytest.mark.parametrize("value", ["'x'", "NULL", "0.5", "-1", "x'01'", "CAST(x'ff' AS TEXT)"])
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE topic SET upto = {}",
        "UPDATE topic SET count = {}",
        "UPDATE topic SET firings = {}",
        "UPDATE topic SET first_due_us = {}",
        "UPDATE firing SET partition = {}",
        "UPDATE firing SET position = {}",
        "UPDATE firing SET checksum = {}",
    ],
)
def test_what_is_no_number_in_the_state_of_a_topic_is_damage(
    tmp_path: Path, change: str, value: str
) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 2, [Put(ROW), BeginFiring(0, 1, b"data")])
    _change(tmp_path / "index", change.format(value))
    with pytest.raises(IndexDamaged):
        index.state(7)
    with pytest.raises(IndexDamaged):
        index.apply(7, 3, [Remove(1)])
    index.close()


@pytest.mark.parametrize("value", ["'text'", "NULL", "1", "0.5", "CAST(x'ff' AS TEXT)"])
def test_a_firing_that_is_no_bytes_is_damage(tmp_path: Path, value: str) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 2, [Put(ROW), BeginFiring(0, 1, b"data")])
    _change(tmp_path / "index", f"UPDATE firing SET data = {value}")
    with pytest.raises(IndexDamaged):
        index.state(7)
    index.close()


def test_a_topic_without_schedules_is_sound(tmp_path: Path) -> None:
    """The time of its first one is NULL then."""
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 2, [Put(ROW), Remove(1)])
    assert index.state(7) == TopicState(2, 0, ())
    index.close()


@pytest.mark.parametrize(
    "value", ["'text'", "'8 signs.'", "7", "x'01'", "zeroblob(9)", "CAST(x'ff' AS TEXT)"]
)
@pytest.mark.parametrize(
    "look",
    [
        lambda index: index.topics(),
        lambda index: index.due(100, 10, 10**9),
        lambda index: index.next_due_us(0),
    ],
)
def test_what_is_no_id_of_a_topic_is_damage(
    tmp_path: Path, value: str, look: Callable[[SqliteScheduleIndex], object]
) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 1, [Put(ROW)])
    _change(
        tmp_path / "index",
        f"UPDATE topic SET topic_id = {value}",
        f"UPDATE schedule SET topic_id = {value}",
    )
    with pytest.raises(IndexDamaged):
        look(index)
    index.close()


@pytest.mark.parametrize(
    ("change", "look"),
    [
        ("UPDATE topic SET first_due_us = 0.5", lambda index: index.next_due_us(0)),
        ("UPDATE schedule SET due_us = 'x'", lambda index: index.next_due_us(100)),
        ("UPDATE schedule SET due_us = 9e999", lambda index: index.next_due_us(100)),
        (
            "UPDATE schedule SET schedule_id = 'x' WHERE schedule_id = 2",
            lambda index: index.due(100, 10, 10**9),
        ),
        ("UPDATE schedule SET due_us = 0.5", lambda index: index.due(100, 10, 10**9)),
        (
            "UPDATE schedule SET schedule_id = 'x' WHERE schedule_id = 2",
            lambda index: index.apply(7, 3, [Put(ROW)]),
        ),
    ],
)
def test_what_is_no_number_in_the_order_is_damage(
    tmp_path: Path, change: str, look: Callable[[SqliteScheduleIndex], object]
) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 2, [Put(ROW), Put(ROW._replace(schedule_id=2))])
    _change(tmp_path / "index", change)
    with pytest.raises(IndexDamaged):
        look(index)
    index.close()


@pytest.mark.parametrize("value", ["0.5", "9e999", "CAST(x'ff' AS TEXT)"])
@pytest.mark.parametrize("column", ["partition", "fired", "checksum"])
def test_what_is_no_whole_number_in_a_row_is_found_out(
    tmp_path: Path, column: str, value: str
) -> None:
    """0.5 would have the checksum of 0."""
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 1, [Put(ROW)])
    _change(tmp_path / "index", f"UPDATE schedule SET {column} = {value}")
    with pytest.raises(IndexDamaged):
        index.find(7, 1)
    index.close()
