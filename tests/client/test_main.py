import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from tapemq import __main__ as command
from tests.support.crash.forked_broker import ForkedBroker
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


@pytest.mark.parametrize(
    ("arguments", "closed", "code", "said"),
    [
        ("config show", "0>&- 1>&- 2>&-", 1, ""),
        ("config check", "1>&-", 1, "tapemq: [Errno 9] Bad file descriptor\n"),
        ("config check", "0>&- 2>&-", 0, ""),
        ("topic ls --url {url}", "0>&-", 0, ""),
        ("topic ls --url {url}", "0>&- 1>&- 2>&-", 0, ""),
        ("pub orders v --url {url}", "1>&-", 1, "tapemq: [Errno 9] Bad file descriptor\n"),
        ("pub orders --url {url}", "0>&-", 1, "tapemq: [Errno 9] Bad file descriptor\n"),
    ],
)
def test_streams_that_are_closed_end_no_command_by_a_signal(
    arguments: str, closed: str, code: int, said: str, tmp_path: Path
) -> None:
    broker = ForkedBroker(tmp_path / "data")
    broker.start()
    line = f'"{sys.executable}" -m tapemq {arguments.format(url=broker.url)} {closed}'
    ran = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, text=True)
    assert broker.stop() == 0
    assert (ran.returncode, ran.stderr) == (code, said)


def test_a_broker_without_standard_streams_stops_cleanly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    serve = f'exec "{sys.executable}" -m tapemq serve --data-dir "{tmp_path}/data" --http-port 0'
    process = subprocess.Popen(["sh", "-c", f"{serve} --port {port} 0>&- 1>&- 2>&-"])
    publish = ["pub", "orders", "v", "--url", f"tapemq://127.0.0.1:{port}"]
    while subprocess.run([sys.executable, "-m", "tapemq", *publish], check=False).returncode:
        assert process.poll() is None
    process.terminate()
    assert process.wait() == 0


def test_a_broker_can_read_what_producers_compress() -> None:
    """It decompresses each batch once: without the library it refuses them for good."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(extras["zstd"]) <= set(extras["broker"])
