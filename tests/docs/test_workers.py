"""docs/workers.md: its example runs as it is printed, and it names the exit codes."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tapemq
from tapemq.worker.exits import Exit
from tests.support.crash.forked_broker import ForkedBroker
from tests.support.sources import ROOT

TEXT = (ROOT / "docs" / "workers.md").read_text()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ForkedBroker]:
    broker = ForkedBroker(tmp_path / "data")
    broker.start()
    yield broker
    assert broker.stop() == 0


def commands() -> list[list[str]]:
    return [line.split("#")[0].split() for line in re.findall(r"^tapemq worker .*", TEXT, re.M)]


def start(command: list[str], url: str, directory: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", *command, "--url", url],
        cwd=directory,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("command", commands(), ids=" ".join)
async def test_the_example_does_what_it_says(
    command: list[str], broker: ForkedBroker, tmp_path: Path
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "jobs.py").write_text(example)
    async with await tapemq.connect(broker.url) as client:
        for order in ('{"customer": "nobody", "total": 1}', "{", '{"customer": "Ada", "total": 3}'):
            await client.publish("orders", order)
        process = start(command, broker.url, tmp_path)
        assert process.stdout is not None
        assert process.stdout.readline() == "Ada pays 3\n"
        while not (unpaid := await client.dead("bills", "printer")):
            """The other bill may take a little longer."""
        process.send_signal(signal.SIGTERM)
        assert process.communicate()[0] == ""
        assert process.returncode == 0
        assert [dead.reason for dead in unpaid] == ["who would pay?"]
        assert [dead.reason for dead in await client.dead("orders", "billing")] == ["undecodable"]


def test_exit_codes_are_all_there() -> None:
    named = {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)}
    assert named == {code.value for code in Exit}
    assert f"| {128 + signal.SIGINT}, {128 + signal.SIGTERM} |" in TEXT
