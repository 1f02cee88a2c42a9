import sqlite3
from pathlib import Path

import pytest

from tapemq_broker.storage.schedules.index import IndexDamaged, LeftOut, Put, Row, TopicState
from tapemq_broker.storage.schedules.sqlite_index import SqliteScheduleIndex

ROW = Row(1, 0, 100, 0, b"key", 0, b"head", b"record")


def test_it_is_still_there_when_it_is_opened_again(tmp_path: Path) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 1, [Put(ROW)])
    index.close()
    index = SqliteScheduleIndex(tmp_path / "index")
    assert index.state(7) == TopicState(1, 1, ())
    assert index.find(7, 1) == ROW
    index.close()


def test_a_file_that_is_no_index_is_replaced_by_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"not a database" * 100)
    index = SqliteScheduleIndex(tmp_path / "index")
    assert index.topics() == []
    index.close()


def test_an_index_of_another_version_is_replaced(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "index") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    index = SqliteScheduleIndex(tmp_path / "index")
    assert index.topics() == []
    index.close()


def test_few_rows_are_looked_at_for_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tapemq_broker.storage.schedules.sqlite_index._NEXT_ROWS", 3)
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 5, [Put(ROW._replace(schedule_id=n, due_us=n, key=b"")) for n in range(1, 6)])
    index.apply(8, 1, [Put(ROW._replace(due_us=9))])
    assert index.next_due_us(0, LeftOut((), [7])) == 3  # look again then
    assert index.next_due_us(3, LeftOut((), [7])) == 9
    assert index.next_due_us(4, LeftOut([(7, 0)], [8])) is None
    index.close()


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


def test_damage_while_it_is_open_is_told_and_mended_by_a_reset(tmp_path: Path) -> None:
    path = tmp_path / "index"
    index = SqliteScheduleIndex(path)
    index.apply(7, 1, [Put(ROW)])
    index.close()
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)
    index = SqliteScheduleIndex(path)
    with pytest.raises(IndexDamaged):
        index.find(7, 1)
    index.reset()
    assert index.find(7, 1) is None
    index.close()


def test_what_fails_halfway_has_not_happened(tmp_path: Path) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 1, [Put(ROW)])
    bad = ROW._replace(head=object())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="bytes-like"):
        index.apply(7, 3, [Put(ROW._replace(schedule_id=2)), Put(bad)])
    assert index.state(7) == TopicState(1, 1, ())
    assert index.find(7, 2) is None
    index.close()


def test_a_full_disk_is_no_damage(tmp_path: Path) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index._db.execute("PRAGMA max_page_count = 20")
    many = [Put(ROW._replace(schedule_id=number, record=b"x" * 1000)) for number in range(1000)]
    with pytest.raises(OSError, match="full"):
        index.apply(7, 1000, many)
    assert index.state(7) == TopicState()
    index.close()
