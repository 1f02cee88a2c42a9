"""The commands for queue groups in docs/operations.md run as they are printed."""

import re
import shlex
from pathlib import Path

import pytest

from tapemq_broker.cli.app import run
from tests.support.crash.forked_broker import ForkedBroker
from tests.support.settled import settle
from tests.support.sources import ROOT


def commands() -> list[list[str]]:
    text = (ROOT / "docs" / "operations.md").read_text()
    section = text.split("\n## Queue groups\n")[1].split("\n## ")[0]
    lines = re.findall(r"^tapemq (.*)", section, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_the_commands_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    broker = ForkedBroker(tmp_path / "data")
    broker.start()
    try:
        monkeypatch.setenv("TAPEMQ_URL", broker.url)
        for value in ("wrong", "bad", "good", "good"):
            assert run(["pub", "orders", value, "--key", "eu.42"]) == 0
        settle(broker.url, "orders", 3, group="billing")
        for command in commands():
            assert (command, run(command)) == (command, 0)
            assert (command, capfd.readouterr().err) == (command, "")
        assert run(["dead", "ls", "orders", "billing"]) == 0
        assert capfd.readouterr().out == ""
    finally:
        broker.stop()
