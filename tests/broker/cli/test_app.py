import subprocess
import sys
from importlib.metadata import version

import pytest

from tapemq_broker.cli.app import COMMANDS, run


def test_only_the_module_of_the_command_is_imported() -> None:
    code = """
import sys
from tapemq_broker.cli.app import run
run(["config", "check", "--json"])
print([name for name in sys.modules if name.startswith("tapemq_broker.cli.commands.")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['tapemq_broker.cli.commands.config']"


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    listed = [line.split()[:1] for line in capsys.readouterr().out.splitlines()]
    for name in ("serve", *COMMANDS):
        assert [name] in listed


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"tapemq {version('tapemq')}\n"


def test_help_documents_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    for code in ("0 done", "1 failed", "2 wrong command line", "3 the broker", "4 verify", "130"):
        assert code in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Usage: tapemq"),
        (["nonsense"], "No such command 'nonsense'"),
        (["config"], "Usage: tapemq config"),
        (["config", "nonsense"], "No such command 'nonsense'"),
        (["config", "check", "--nonsense"], "No such option: --nonsense"),
    ],
)
def test_a_wrong_command_line_ends_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert said in captured.out + captured.err
