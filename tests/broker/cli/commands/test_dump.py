from pathlib import Path

import pytest

from tapemq_broker.cli import output
from tests.broker.cli.commands.conftest import Records, Tapemq
from tests.support.read_only import make_read_only, refuse_to_list


def test_a_directory_is_shown_by_its_logs(offline: Tapemq, records: Records) -> None:
    rows = offline("dump", records.data_dir).rows
    assert [row["holds"] for row in rows] == ["catalog", "data", "groups"]
    data = rows[1]
    assert (data["log"], data["topic"], data["partition"]) == (str(records.log), "orders", 0)
    assert (data["segments"], data["size_bytes"]) == (1, records.segment.stat().st_size)


def test_a_log_is_shown_by_its_batches(offline: Tapemq, records: Records) -> None:
    rows = [row for row in offline("dump", records.log).rows if row["kind"] == "data"]
    assert [row["offset"] for row in rows] == [0, 1, 2, 3, 4]
    assert [row["count"] for row in rows] == [1] * 5
    assert rows[0]["position"] == 0


def test_offsets_are_chosen(offline: Tapemq, records: Records) -> None:
    rows = offline("dump", records.log, "--from", "1", "--upto", "3").rows
    assert [row["offset"] for row in rows if row["kind"] == "data"] == [1, 2]


def test_records_are_shown_when_asked_for(offline: Tapemq, records: Records) -> None:
    rows = offline("dump", records.log, "--records", "--from", "2", "--upto", "3").rows
    assert [row for row in rows if "value" in row] == [
        {"offset": 2, "key": "k", "value": "value 2", "headers": {}, "attributes": {}}
    ]


def test_a_bad_place_is_a_row_too(offline: Tapemq, records: Records) -> None:
    position = records.position(offline, 2)
    records.damage(position + 5)
    found = offline("dump", records.log)
    assert found.code == 0
    problems = [row for row in found.rows if "problem" in row]
    assert [row["position"] for row in problems] == [position]


def test_a_terminal_gets_tables(
    offline: Tapemq, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    lines = offline("dump", records.log).out.splitlines()
    assert lines[0].split()[:3] == ["offset", "count", "kind"]
    assert lines[1].split()[:3] == ["0", "1", "data"]
    records.damage(5)
    damaged = offline("dump", records.log).out.splitlines()
    assert damaged[0].split()[-1] == "note"
    assert len(damaged[1]) > len(lines[1])


def test_the_data_directory_of_the_settings_is_the_default(
    offline: Tapemq, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPEMQ_DATA_DIR", str(records.data_dir))
    assert len(offline("dump").rows) == 3
    within = records.log.relative_to(records.data_dir)
    assert offline("dump", within).rows == offline("dump", records.log).rows


def test_what_is_no_data_directory_is_refused(offline: Tapemq, tmp_path: Path) -> None:
    assert offline("dump", tmp_path) == (
        73,
        "",
        f"tapemq: {tmp_path}: there is no file FORMAT: this is no data directory\n",
    )


def test_a_copy_that_can_only_be_read_will_do(
    offline: Tapemq, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = offline("dump", records.log, "--records")
    make_read_only(records.data_dir, monkeypatch)
    assert len(offline("dump", records.data_dir).rows) == 3
    assert offline("dump", records.log, "--records") == expected


def test_what_cannot_be_read_does_not_keep_the_rest_from_being_shown(
    offline: Tapemq, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_list(records.log, monkeypatch)
    rows = offline("dump", records.data_dir).rows
    assert [row["segments"] for row in rows] == [1, None, 1]
    assert "its directory cannot be read" in offline("dump", records.log).row["problem"]
    refuse_to_list(records.log.parent, monkeypatch)
    ran = offline("dump", records.data_dir)
    assert [row["holds"] for row in ran.rows] == ["catalog"]
    assert ran.err == f"tapemq: {records.log.parent} cannot be read: Permission denied\n"
