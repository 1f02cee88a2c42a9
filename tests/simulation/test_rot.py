"""Reads that return a wrong bit: nothing wrong is ever served."""

from collections import Counter

from tests.support.simulation.simulation import Simulation


def test_wrong_bits_are_never_served() -> None:
    faults: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for seed in range(20):
        run = Simulation(seed, rot=True).play()
        assert not run.complaint, f"seed {seed}: {run.complaint}"
        faults += run.faults
        errors += run.errors
    assert faults["flip"] > 20
    assert errors["storage_failed"] > 5
