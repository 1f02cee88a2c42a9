"""What is forked is like what is started: its streams, its end, its environment, what it sees."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.crash.powered_disk import PoweredDisk
from tests.support.warm_process import WarmProcess


def run(tmp_path: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of `tapemq`."""
    with (tmp_path / "errors").open("w+") as errors:
        process = WarmProcess("tapemq", *arguments, stderr=errors.fileno())
        printed = process.communicate()
        errors.seek(0)
        return process.wait(), printed, errors.read()


def test_what_it_prints_and_how_it_ends(tmp_path: Path) -> None:
    code, printed, errors = run(tmp_path, "--help")
    assert (code, "serve" in printed, errors) == (0, True, "")
    code, printed, errors = run(tmp_path, "serve", "--nonsense")
    assert (code, printed, "--nonsense" in errors) == (2, "", True)


def test_a_signal_that_ends_it() -> None:
    process = WarmProcess("tests.support.crash.queue.nursery", "", "", "0", "0")
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_environment_is_that_of_who_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for port in ("nonsense", "rubbish"):
        monkeypatch.setenv("TAPEMQ_PORT", port)
        code, _, errors = run(tmp_path, "serve", "--data-dir", str(tmp_path / "data"))
        assert (code != 0, port in errors) == (True, True)


def test_disks_are_those_that_who_asks_has_mounted(disk: PoweredDisk, tmp_path: Path) -> None:
    target = disk.path / "there"
    target.mkdir()
    (target / "FORMAT").write_text("nonsense")
    code, _, errors = run(tmp_path, "verify", str(target))
    assert (code != 0, "the file FORMAT is damaged" in errors) == (True, True)
