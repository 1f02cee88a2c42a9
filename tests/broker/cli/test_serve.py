import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapemq_broker.cli import broker_process
from tapemq_broker.cli.exits import Exit
from tapemq_broker.cli.serve import serve
from tapemq_broker.config import Settings


@pytest.fixture(autouse=True)
def process_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    interval_s = sys.getswitchinterval()
    yield
    sys.setswitchinterval(interval_s)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def ran_with(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings of brokers that were run; they end at once, with 70."""
    found: list[Settings] = []

    class Process:
        def __init__(self, settings: Settings) -> None:
            found.append(settings)

        async def run(self) -> Exit:
            return Exit.STORAGE_FAILED

    monkeypatch.setattr(broker_process, "BrokerProcess", Process)
    return found


def test_runs_a_broker_with_the_settings_of_all_sources(
    ran_with: list[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.toml"
    file.write_text("http_port = 1")
    monkeypatch.setenv("TAPEMQ_HOST", "::1")
    assert serve(["--port", "0", "--config", str(file)]) == Exit.STORAGE_FAILED
    assert ran_with == [Settings(port=0, http_port=1, host="::1")]
    assert sys.getswitchinterval() < 0.001, "else the end of a sync waits for the event loop"


def test_bad_settings_end_it_before_a_broker_runs(
    ran_with: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    assert serve(["--port", "x"]) == Exit.BAD_CONFIGURATION
    assert ran_with == []
    assert capsys.readouterr().err.startswith("tapemq: port = 'x' is not allowed")


def test_what_looks_like_a_mistake_is_logged(
    ran_with: list[Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAPEMQ_PROT", "1")
    serve(["--no-sync"])
    captured = capsys.readouterr()
    assert captured.out == ""
    warnings = [line.split(" serve: ")[1] for line in captured.err.splitlines()]
    assert warnings[0].startswith("TAPEMQ_PROT is set, but ")
    assert warnings[1].startswith("SYNCING IS OFF: ")
    assert warnings[1].endswith(' origin="flag --no-sync"')


def test_the_log_has_the_level_and_form_of_the_settings(
    ran_with: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    serve(["--no-sync", "--log-format", "json"])
    assert capsys.readouterr().err.startswith('{"time": ')
    serve(["--no-sync", "--log-level", "error"])
    assert capsys.readouterr().err == ""
