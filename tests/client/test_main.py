import sys
import tomllib
from types import ModuleType

import pytest

from tapemq import __main__ as command
from tests.support.sources import ROOT


def install_cli(monkeypatch: pytest.MonkeyPatch, outcome: int | Exception) -> None:
    """Let `tapemq_broker.cli.main.main` return or raise the outcome."""

    def run() -> int:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    module = ModuleType("tapemq_broker.cli.main")
    module.main = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tapemq_broker.cli", ModuleType("tapemq_broker.cli"))
    monkeypatch.setitem(sys.modules, "tapemq_broker.cli.main", module)


def test_returns_the_status_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    install_cli(monkeypatch, 3)
    assert command.main() == 3


@pytest.mark.parametrize("name", ["typer", "rich.console"])
def test_says_what_to_install_without_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install_cli(monkeypatch, ModuleNotFoundError(f"No module named {name!r}", name=name))
    assert command.main() == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        'tapemq: the command line needs the broker extra: pip install "tapemq[broker]"\n'
    )


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'tapemq_broker.gone'", name="tapemq_broker.gone"),
        ModuleNotFoundError("No module named 'jsno'", name="jsno"),
        ImportError("cannot import name 'Gone' from 'typer'", name="typer"),
    ],
)
def test_does_not_hide_a_fault_of_our_own(
    error: ImportError, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_cli(monkeypatch, error)
    with pytest.raises(ImportError) as caught:
        command.main()
    assert caught.value is error


def test_knows_every_dependency_of_the_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = {
        requirement.split(">=")[0].replace("-", "_").partition(".")[0]
        for requirement in project["optional-dependencies"]["broker"]
        if requirement not in project["dependencies"]
    }
    assert extra == command._BROKER_EXTRA


def test_a_broker_can_read_what_producers_compress() -> None:
    """It decompresses each batch once: without the library it refuses them for good."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(extras["zstd"]) <= set(extras["broker"])
