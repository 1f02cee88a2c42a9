"""Schedules from seeds: none is lost, doubled or early, whatever happens to the broker.

``TEST_SEEDS=7`` runs one seed, ``TEST_SEEDS=100:1100`` others.
"""

import os

import pytest

from tests.support.simulation.schedule_run import ScheduleRun


def seeds() -> range:
    first, _, last = os.environ.get("TEST_SEEDS", "0:20").partition(":")
    return range(int(first), int(last or int(first) + 1))


@pytest.mark.parametrize("seed", seeds())
def test_every_schedule_comes_once(seed: int) -> None:
    run = ScheduleRun(seed)
    assert run.play() == []
    assert run.arrived
