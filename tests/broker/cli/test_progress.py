import subprocess
import sys

import pytest

from tapemq_broker.cli import progress
from tapemq_broker.cli.progress import ProgressBar


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(progress, "people_look", lambda: True)


def test_nobody_looking_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("working", 10) as bar:
        bar.advance(10)
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("total", [10, None])
def test_people_see_how_far_it_is(total: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("working", total, "bytes") as bar:
        bar.advance(3)
        bar.advance(4)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "working" in captured.err
    assert "7 bytes" in captured.err


def test_rich_is_not_imported_for_nobody() -> None:
    code = """
import sys
from tapemq_broker.cli.progress import ProgressBar
with ProgressBar("working") as bar:
    bar.advance(1)
print("rich" in sys.modules)
"""
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("False\n", "")
