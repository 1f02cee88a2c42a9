"""Brokers that end in all the ways that there are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.crash.forked_broker import ForkedBroker
from tests.support.crash.powered_disk import PoweredDisk, missing


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ForkedBroker]:
    """On the machine's own disk."""
    running = ForkedBroker(tmp_path / "data")
    yield running
    running.kill_if_running()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[PoweredDisk]:
    """A disk whose power can be cut."""
    if missing():
        pytest.skip(missing())
    powered = PoweredDisk(tmp_path)
    powered.start()
    yield powered
    powered.stop()


@pytest.fixture
def powered_broker(disk: PoweredDisk, tmp_path: Path) -> Iterator[ForkedBroker]:
    """On that disk."""
    running = ForkedBroker(disk.path / "data", log_path=tmp_path / "broker.stderr")
    yield running
    running.kill_if_running()
