import os
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from tapemq_broker.storage.schedules.index import IndexDamaged, Put, Row
from tapemq_broker.storage.schedules.inspection import Inspection, errors_of, is_passing
from tapemq_broker.storage.schedules.sqlite_index import SqliteScheduleIndex
from tests.support.mislaid import mislay

DUE_US = 10**15
ROW = Row(1, 0, DUE_US, 0, b"key", 0, b"head", b"record")


def _index(path: Path) -> SqliteScheduleIndex:
    index = SqliteScheduleIndex(path)
    index.apply(7, 1, [Put(ROW)])
    return index


def _mislaid(path: Path) -> SqliteScheduleIndex:
    _index(path).close()
    mislay(path, 7, DUE_US)
    return SqliteScheduleIndex(path)


@pytest.mark.parametrize(
    "name", ["index", "a name? with #signs, 100 %", os.fsdecode(b"no text: \xe9")]
)
def test_a_sound_index_is_found_sound(tmp_path: Path, name: str) -> None:
    index = _index(tmp_path / name)
    index.inspection().run()
    assert index.find(7, 1) == ROW
    index.close()


def test_a_directory_whose_name_begins_with_two_slashes_is_no_host(tmp_path: Path) -> None:
    index = _index(Path(f"/{tmp_path}") / "index")
    assert str(index._path).startswith("//")
    index.inspection().run()
    index.close()


def test_a_schedule_that_the_order_has_elsewhere_is_found(tmp_path: Path) -> None:
    index = _mislaid(tmp_path / "index")
    assert index.due(2 * DUE_US - 1, 10, 10**9) == []  # else it would be met
    with pytest.raises(IndexDamaged, match="missing from index by_time"):
        index.inspection().run()
    index.close()


@pytest.mark.parametrize("end", [SqliteScheduleIndex.reset, SqliteScheduleIndex.close])
def test_what_was_given_up_finds_nothing(tmp_path: Path, end: object) -> None:
    index = _mislaid(tmp_path / "index")
    inspection = index.inspection()
    assert callable(end)
    end(index)
    inspection.run()
    index.close()


class _Asked(Event):
    """Is set when it is asked for the third time, or never."""

    def __init__(self, third: bool) -> None:
        super().__init__()
        self.times = 0
        self._third = third

    def is_set(self) -> bool:
        self.times += 1
        return self._third and self.times >= 3


def test_what_is_given_up_while_it_looks_ends_and_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = _mislaid(tmp_path / "index")
    monkeypatch.setattr("tapemq_broker.storage.schedules.inspection._STEPS", 1)
    inspection = Inspection(tmp_path / "index")
    monkeypatch.setattr(inspection, "_given_up", asked := _Asked(third=False))
    with pytest.raises(IndexDamaged):
        inspection.run()
    assert asked.times > 50
    monkeypatch.setattr(inspection, "_given_up", asked := _Asked(third=True))
    inspection.run()
    assert asked.times < 10
    index.close()


def test_after_a_reset_it_looks_at_the_new_file(tmp_path: Path) -> None:
    index = _mislaid(tmp_path / "index")
    index.reset()
    index.inspection().run()
    index.apply(7, 1, [Put(ROW)])
    index._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # into the file itself
    mislay(tmp_path / "index", 7, DUE_US)
    with pytest.raises(IndexDamaged):
        index.inspection().run()
    index.close()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="unable to open"):
        Inspection(tmp_path / "index").run()
    assert list(tmp_path.iterdir()) == []


def test_a_message_that_is_no_text_is_damage() -> None:
    with pytest.raises(IndexDamaged, match="index: "), errors_of(Path("index")):
        b"\xff".decode()


def test_what_is_wrong_in_the_file_is_damage() -> None:
    with (
        closing(sqlite3.connect(":memory:")) as db,
        pytest.raises(IndexDamaged, match="index: no such table"),
        errors_of(Path("index")),
    ):
        db.execute("SELECT * FROM topic")


@pytest.mark.parametrize(
    ("kind", "name", "is_so"),
    [
        (sqlite3.OperationalError, "SQLITE_FULL", True),
        (sqlite3.OperationalError, "SQLITE_IOERR_WRITE", True),
        (sqlite3.OperationalError, "SQLITE_ERROR", False),
        (sqlite3.OperationalError, "", False),
        (sqlite3.DatabaseError, "SQLITE_CORRUPT", False),
        (sqlite3.DatabaseError, "SQLITE_FULL", False),
    ],
)
def test_only_errors_of_the_disk_pass(
    kind: type[sqlite3.DatabaseError], name: str, is_so: bool
) -> None:
    error = kind("as the test wants it")
    if name:
        error.sqlite_errorname = name
    assert is_passing(error) == is_so
