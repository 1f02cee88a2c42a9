import json
from pathlib import Path

import pytest

from tapemq_broker.cli import output
from tapemq_broker.cli.app import run
from tapemq_broker.config import settings


def test_show_prints_every_setting_with_its_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.toml"
    file.write_text('retention_age_s = "7d"')
    monkeypatch.setenv("TAPEMQ_PORT", "0")
    assert run(["config", "show", "--config", str(file)]) == 0
    rows = {row["setting"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert list(rows) == [setting.name for setting in settings()]
    assert rows["port"]["value"] == 0
    assert rows["port"]["origin"] == "environment TAPEMQ_PORT"
    assert rows["retention_age_s"]["value"] == 604_800.0
    assert rows["retention_age_s"]["unit"] == "seconds"
    assert rows["retention_age_s"]["origin"] == f"file {file}"
    assert rows["data_dir"] == {
        "setting": "data_dir",
        "value": "tapemq-data",
        "unit": "",
        "origin": "default",
        "meaning": "Directory that keeps all data.",
    }


def test_show_prints_numbers_as_they_are_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["config", "show"]) == 0
    shown = {line.split()[0]: line.split()[1] for line in capsys.readouterr().out.splitlines()}
    assert shown["port"] == "7077"
    assert shown["segment_bytes"] == "67108864"
    assert (shown["sync"], shown["disk_free_min_bytes"]) == ("yes", "-")


def test_check_says_that_all_is_fine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    monkeypatch.setenv("TAPEMQ_PROT", "0")
    assert run(["config", "check"]) == 0
    assert capsys.readouterr().out == (
        "warning: TAPEMQ_PROT is set, but there is no setting 'prot'; is 'port' meant?\n"
        "the settings are fine\n"
    )


@pytest.mark.parametrize("command", ["show", "check"])
def test_bad_settings_end_with_78(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAPEMQ_PORT", "x")
    assert run(["config", command]) == 78
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "tapemq: port = 'x' is not allowed: it must be a whole number, at least 0, at most 65,535 "
        "(from environment TAPEMQ_PORT)\n"
    )
