import subprocess
import sys

import pytest

from tapemq_broker.cli.main import main

FRAMEWORKS = ("typer", "click", "rich", "starlette", "uvicorn", "prometheus_client", "pydantic")


def test_serve_is_parsed_without_a_framework() -> None:
    # `serve --help` has imported all that parsing needs when it ends.
    code = f"""
import sys
from tapemq_broker.cli.main import main
try:
    main(["serve", "--help"])
except SystemExit:
    pass
print([name for name in {FRAMEWORKS} if name in sys.modules], file=sys.stderr)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("usage: tapemq serve ")
    assert run.stderr == "[]\n"


def test_other_commands_go_to_the_application(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", "--json"]) == 0
    assert capsys.readouterr().out == '{"ok": true, "warnings": []}\n'


def test_the_arguments_are_those_of_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tapemq", "config", "check", "--json"])
    assert main() == 0
    assert capsys.readouterr().out == '{"ok": true, "warnings": []}\n'
