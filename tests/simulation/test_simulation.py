"""The whole engine from seeds: broker, SDK, disk, network and time, with everything going wrong.

``TEST_SEEDS=7`` runs one seed, ``TEST_SEEDS=100:1100`` a thousand others. A seed replays
exactly, whatever PYTHONHASHSEED is.
"""

import os
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from tests.conftest import SUMMARY
from tests.support.simulation.simulation import Run, Simulation

_CHUNK: Final = 10
_REPLAY: Final = "TEST_SEEDS={} make test ARGS=tests/simulation/test_simulation.py"


def chunks() -> list[range]:
    """The seeds to run, a few at a time so that progress can be seen."""
    first, _, last = os.environ.get("TEST_SEEDS", "0:100").partition(":")
    start, stop = int(first), int(last or int(first) + 1)
    return [range(seed, min(seed + _CHUNK, stop)) for seed in range(start, stop, _CHUNK)]


class Totals:
    """What happened in all seeds together."""

    def __init__(self) -> None:
        self.seeds = 0
        self.faults: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()

    def add(self, run: Run) -> None:
        self.seeds += 1
        self.faults += run.faults
        self.rows += run.rows
        self.counts.update(run.counts)

    def lines(self) -> list[str]:
        parts = {"faults": self.faults, "recovery": self.rows, "records": self.counts}
        return [f"simulation: {self.seeds} seeds"] + [
            f"  {name}: " + ", ".join(f"{key} {count}" for key, count in sorted(counts.items()))
            for name, counts in parts.items()
        ]


@pytest.fixture(scope="module")
def totals() -> Totals:
    return Totals()


@pytest.mark.parametrize("seeds", chunks(), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_seeds(seeds: range, totals: Totals) -> None:
    for seed in seeds:
        run = Simulation(seed, logs=len(seeds) == 1).play()
        totals.add(run)
        assert not run.complaint, f"seed {seed}: {run.complaint}\nreplay: {_REPLAY.format(seed)}"
        assert run.crashes >= 2, f"seed {seed} crashed the broker {run.crashes} times"
        assert run.history.operations() >= 200, f"seed {seed} does too little"


def test_everything_went_wrong(
    totals: Totals, record_property: Callable[[str, object], None]
) -> None:
    """The seeds are worth nothing if what they are to provoke does not happen."""
    record_property(SUMMARY, totals.lines())
    if totals.seeds < 100:
        pytest.skip("needs the usual 100 seeds")
    assert totals.faults.keys() >= {
        *("kill", "cut_power", "die_in_a_call", "die_while_starting", "fail_a_sync", "eio"),
        *("stop", "cut_connection", "silence_connection", "fill_disk", "enospc"),
        *("delay_connection", "pause_process", "crowd_disk", "slow_disk", "stall", "jump_clock"),
        *("forgotten", "evicted"),
    }
    assert totals.rows.keys() >= {"NEW_LOG", "CLEAN", "KEPT", "COVERED", "TORN_SHORT", "TORN_LAST"}
    assert totals.counts["recovered"] > 0
    assert totals.counts["rewritten_bytes"] > 0
    assert totals.counts["acked"] > 0.9 * totals.counts["attempted"]


def test_seed_replays_exactly() -> None:
    first, second = (Simulation(5).play() for _ in range(2))
    assert not first.complaint
    assert first.history == second.history
    assert (first.steps, first.virtual_s) == (second.steps, second.virtual_s)
    other = Simulation(6).play()
    assert other.history != first.history
