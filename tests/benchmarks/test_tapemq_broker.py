"""The broker of a benchmark ends with it."""

from pathlib import Path

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.tapemq_broker import TapemqBroker


def test_a_signal_while_it_starts_leaves_no_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def interrupt(broker: TapemqBroker) -> str:
        started.append(broker.pid)
        raise SystemExit(143)

    monkeypatch.setattr(TapemqBroker, "_read_url", interrupt)
    with pytest.raises(SystemExit):
        TapemqBroker(tmp_path)
    assert not Path(f"/proc/{started[0]}").exists()


def test_one_that_does_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no directory")
    with pytest.raises(BenchmarkError, match=r"did not start:\n.*data") as raised:
        TapemqBroker(tmp_path)
    assert "Traceback" not in str(raised.value)
