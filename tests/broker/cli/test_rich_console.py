import io

import pytest
from rich.text import Text

from tapemq_broker.cli.rich_console import console


@pytest.mark.parametrize(
    ("no_color", "said"), [("", "\x1b[1mtopic\x1b[0m\n"), ("1", "topic\n")], ids=["unset", "set"]
)
def test_no_color_leaves_nothing_but_text(
    no_color: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    target = console()
    target.file = io.StringIO()
    target.print(Text("topic", style="bold"))
    assert target.file.getvalue() == said


def test_errors_go_to_standard_error() -> None:
    assert console(stderr=True).stderr
    assert not console().stderr
