"""A broker for commands to talk to, and a way to run them in this process."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tapemq_broker.cli.app import run
from tests.support.crash.forked_broker import ForkedBroker


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The JSON lines that it printed."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def row(self) -> dict[str, Any]:
        """The one JSON line that it printed."""
        (row,) = self.rows
        return row


Tapemq = Callable[..., Ran]


@pytest.fixture(scope="session")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a broker that all tests of commands share; they use topics of their own."""
    broker = ForkedBroker(tmp_path_factory.mktemp("commands") / "data")
    broker.start()
    yield broker.url
    assert broker.stop() == 0


@pytest.fixture
def offline(capfd: pytest.CaptureFixture[str]) -> Tapemq:
    """Runs a command that needs no broker."""

    def tapemq(*arguments: str | Path) -> Ran:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Ran(code, *capfd.readouterr())

    return tapemq


@pytest.fixture
def tapemq(broker_url: str, offline: Tapemq, monkeypatch: pytest.MonkeyPatch) -> Tapemq:
    """Runs a command against the broker."""
    monkeypatch.setenv("TAPEMQ_URL", broker_url)
    return offline


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A name that only this test uses."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.nodeid.rpartition("::")[2])
    return f"{Path(str(request.path)).stem}-{name}"[:200]


class Records(NamedTuple):
    """A data directory that was left cleanly, with one topic of five batches of one record."""

    data_dir: Path
    log: Path

    @property
    def segment(self) -> Path:
        """The file with the records."""
        return self.log / "00000000000000000000.log"

    def position(self, tapemq: Tapemq, offset: int) -> int:
        """Where in the segment a record's batch begins; marks may lie between them."""
        rows = tapemq("dump", self.log).rows
        return int(
            next(r["position"] for r in rows if (r["kind"], r["offset"]) == ("data", offset))
        )

    def lose_clean_stop(self) -> None:
        """Let it look as if the broker had been killed; what was synced is on disk all the same."""
        (self.data_dir / "CLEAN").unlink()

    def cut(self, position: int) -> None:
        """End the segment there, with nothing left that says that there was more."""
        os.truncate(self.segment, position)
        for index in self.log.glob("*.index"):
            index.unlink()

    def damage(self, position: int) -> None:
        """Flip a bit of the segment."""
        data = bytearray(self.segment.read_bytes())
        data[position] ^= 1
        self.segment.write_bytes(data)


@pytest.fixture(scope="session")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory that `records` copies."""
    data_dir = tmp_path_factory.mktemp("records") / "data"
    broker = ForkedBroker(data_dir)
    broker.start()
    for number in range(5):
        assert run(["pub", "orders", f"value {number}", "--key", "k", "--url", broker.url]) == 0
    reading = ["--group", "g", "--start", "earliest", "--count", "4"]
    assert run(["sub", "orders", *reading, "--url", broker.url]) == 0
    assert broker.stop() == 0
    return data_dir


@pytest.fixture
def records(left_behind: Path, tmp_path: Path) -> Records:
    """A data directory of the test's own."""
    data_dir = tmp_path / "data"
    shutil.copytree(left_behind, data_dir)
    (log,) = data_dir.glob("topics/default/orders~*/0")
    return Records(data_dir, log)
