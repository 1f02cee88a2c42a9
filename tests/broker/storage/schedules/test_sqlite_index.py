import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tapemq_broker.storage.schedules.index import (
    BeginFiring,
    IndexDamaged,
    LeftOut,
    Put,
    Remove,
    Row,
    TopicState,
)
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
    assert index.next_due_us(0, LeftOut([(7, 0)])) == 3  # look again then
    assert index.next_due_us(3, LeftOut([(7, 0)])) == 9
    assert index.next_due_us(4, LeftOut([(7, 0)], [8])) is None
    assert index.next_due_us(0, LeftOut((), [7])) == 9
    index.close()


@pytest.mark.parametrize(
    "look",
    [
        lambda index: index.page(7, 1, 1, 10),
        lambda index: index.due(10**9, 10, 10**9),
        lambda index: index.due(10**9, 10, 10**9, LeftOut([(7, 1)], [8])),
        lambda index: index.next_due_us(150, LeftOut([(7, 1)], [8])),
    ],
)
def test_no_rows_of_other_topics_are_looked_at(
    tmp_path: Path, look: Callable[[SqliteScheduleIndex], object]
) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    for topic_id in (7, 8, 9):
        index.apply(topic_id, 2, [Put(ROW), Put(ROW._replace(schedule_id=2, due_us=200))])
    asked: list[str] = []
    index._db.set_trace_callback(asked.append)
    look(index)
    index._db.set_trace_callback(None)
    plans = [_plan(index, query) for query in asked if "FROM schedule" in query]
    assert any("by_time (topic_id=? AND due_us" in plan for plan in plans)
    for plan in plans:
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan
    index.close()


def _plan(index: SqliteScheduleIndex, query: str) -> str:
    return " | ".join(row[3] for row in index._db.execute(f"EXPLAIN QUERY PLAN {query}"))


def test_an_order_that_names_a_row_that_is_not_there_is_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 1, [Put(ROW)])
    found = index._due_of
    monkeypatch.setattr(index, "_due_of", lambda *asked: [(50, b"\0" * 8, 1), *found(*asked)])
    with pytest.raises(IndexDamaged, match="schedule 1 is in the order"):
        index.due(100, 10, 10**9)
    index.close()


def test_the_files_are_for_the_broker_alone(tmp_path: Path) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 1, [Put(ROW)])
    assert _modes(tmp_path) == {"index": 0o600, "index-wal": 0o600, "index-shm": 0o600}
    for path in tmp_path.iterdir():
        path.chmod(0o644)
    second = SqliteScheduleIndex(tmp_path / "index")
    assert set(_modes(tmp_path).values()) == {0o600}
    assert second.find(7, 1) == ROW
    second.close()
    index.reset()
    assert _modes(tmp_path)["index"] == 0o600
    index.close()


def test_a_journal_that_much_was_done_at_once_in_gets_shorter_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would else be as large as the index for ever, where a topic with all of that goes."""
    monkeypatch.setattr("tapemq_broker.storage.schedules.sqlite_index._JOURNAL_PAGES", 16)
    monkeypatch.setattr("tapemq_broker.storage.schedules.sqlite_index._JOURNAL_BYTES", 16 * 4096)
    index = SqliteScheduleIndex(tmp_path / "index")
    rows = [ROW._replace(schedule_id=n, record=bytes(1000), key=b"") for n in range(1, 501)]
    index.apply(7, 500, list(map(Put, rows)))
    journal = tmp_path / "index-wal"
    assert journal.stat().st_size > 8 * 16 * 4096
    index.apply(7, 501, [Put(ROW)])
    assert journal.stat().st_size <= 16 * 4096
    index.close()
    assert not journal.exists()


def _modes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}


def test_topics_with_nothing_that_is_due_are_passed_over(tmp_path: Path) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    for topic_id in range(1, 6):
        index.apply(topic_id, 1, [Put(ROW._replace(due_us=topic_id * 100))])
    index.apply(1, 2, [Remove(1)])
    asked: list[str] = []
    index._db.set_trace_callback(asked.append)
    assert [due.topic_id for due in index.due(400, 2, 10**9)] == [2, 3]
    assert len([query for query in asked if "due_us <=" in query and "FROM schedule" in query]) == 2
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


def test_a_reset_that_fails_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 1, [Put(ROW)])
    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", _fail)
        with pytest.raises(IndexDamaged, match="out of order"):
            index.reset()
        with pytest.raises(IndexDamaged, match="closed"):
            index.state(7)
    index.reset()
    assert index.state(7) == TopicState()
    index.close()


def _fail(*args: object, **options: object) -> None:
    raise sqlite3.DatabaseError("out of order")


def test_what_fails_halfway_has_not_happened(tmp_path: Path) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index.apply(7, 1, [Put(ROW)])
    bad = ROW._replace(head=object())  # type: ignore[arg-type]
    with pytest.raises(IndexDamaged, match="binding"):
        index.apply(7, 3, [Put(ROW._replace(schedule_id=2)), Put(bad)])
    assert index.state(7) == TopicState(1, 1, ())
    assert index.find(7, 2) is None
    index.close()


def test_a_topic_is_forgotten_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """Without its rows, what is said of how far it was read would hide what its log says."""
    index = SqliteScheduleIndex(tmp_path / "index")
    firing = BeginFiring(0, 1, b"data")
    index.apply(7, 2, [Put(ROW), firing])
    with sqlite3.connect(tmp_path / "index") as db:
        db.execute(
            "CREATE TRIGGER broken BEFORE DELETE ON topic BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    db.close()
    with pytest.raises(IndexDamaged):
        index.forget(7)
    assert index.state(7) == TopicState(2, 1, (firing,))
    assert index.find(7, 1) == ROW
    index.close()


def test_a_full_disk_is_no_damage(tmp_path: Path) -> None:
    index = SqliteScheduleIndex(tmp_path / "index")
    index._db.execute("PRAGMA max_page_count = 20")
    many = [Put(ROW._replace(schedule_id=number, record=b"x" * 1000)) for number in range(1000)]
    with pytest.raises(OSError, match="full"):
        index.apply(7, 1000, many)
    assert index.state(7) == TopicState()
    index.close()
