"""docs/operations.md names all that there is, and nothing that there is not."""

import re

from tapemq_broker.admin.metrics import exposition
from tapemq_broker.cli import app, serve_options
from tapemq_broker.cli.exits import Exit
from tapemq_broker.config import settings
from tests.support.sources import ROOT
from tests.support.status import status

TEXT = (ROOT / "docs" / "operations.md").read_text()


def rows(title: str) -> dict[str, list[str]]:
    """The rows of the table under a heading, by their first cell."""
    section = re.split(rf"^## {title}$", TEXT, flags=re.MULTILINE)[1].split("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return {row[0].strip("`"): row[1:] for row in cells[2:]}


def test_settings_are_all_there_with_their_meaning() -> None:
    found = {name: cells[-1] for name, cells in rows("Settings").items()}
    assert found == {setting.name: setting.about.text for setting in settings()}


def test_metrics_are_all_there() -> None:
    named = {name.partition("{")[0] for name in rows("Health and metrics")} - {"process_*"}
    lines = exposition(status)().decode().splitlines()
    shown = {line.split()[2] for line in lines if line.startswith("# TYPE tapemq_")}
    assert named == shown


def test_exit_codes_are_all_there() -> None:
    assert {int(code) for code in rows("Commands")} == {code.value for code in Exit}


def test_the_help_names_every_exit_code() -> None:
    of_serve = {Exit.CANNOT_LISTEN, Exit.STORAGE_FAILED}
    elsewhere = {Exit.FAILED, Exit.UNREACHABLE, Exit.DAMAGE}
    assert {code for code in Exit if not in_text(code, app._EPILOG)} == of_serve
    assert {code for code in Exit if not in_text(code, serve_options._EPILOG)} == elsewhere


def in_text(code: Exit, text: str) -> bool:
    """Whether a text names an exit code."""
    return re.search(rf"\b{code.value}\b", text.partition("odes: ")[2]) is not None
