"""Many seeds over all cores, one process each."""

import os
from collections.abc import Callable, Iterator
from itertools import islice
from multiprocessing import get_context
from typing import Final

from tests.support.simulation.simulation import Simulation
from tests.support.simulation.totals import Totals

SEEDS_FOR_EVERYTHING: Final = 5000
"""In so many seeds, every fault and every row of the recovery table occurs."""
_SEEDS_AT_ONCE: Final = 5


def seeds_of(text: str) -> range:
    """The seeds that ``7`` or ``0-19999`` names. Raises ValueError."""
    first, dash, last = text.partition("-")
    seeds = range(int(first), int(last if dash else first) + 1)
    if not seeds:
        raise ValueError(f"{text}: the last seed is before the first")
    return seeds


def replay(seed: int) -> str:
    """The command that runs a seed again."""
    return f"make simulate SEEDS={seed}"


def run_all(
    seeds: range, *, processes: int = 0, tell: Callable[[Totals], object] = lambda totals: None
) -> Totals:
    """Run the seeds in so many processes (0: one for each core); ``tell`` hears of each few."""
    totals = Totals()
    if len(seeds) == 1:
        totals.add(Simulation(seeds[0], logs=True).play())
        return totals
    with get_context("spawn").Pool(processes or len(os.sched_getaffinity(0))) as pool:
        for some in pool.imap_unordered(_run, _chunks(seeds)):
            totals.merge(some)
            tell(some)
    return totals


def _run(seeds: list[int]) -> Totals:
    totals = Totals()
    for seed in seeds:
        totals.add(Simulation(seed).play())
    return totals


def _chunks(seeds: range) -> Iterator[list[int]]:
    left = iter(seeds)
    while some := list(islice(left, _SEEDS_AT_ONCE)):
        yield some


def failures(totals: Totals) -> list[str]:
    """What is wrong with many runs, each with how to see it again."""
    found = [
        f"seed {seed}: {complaint}\nreplay: {replay(seed)}"
        for seed, complaint in sorted(totals.complaints.items())
    ]
    if totals.seeds >= SEEDS_FOR_EVERYTHING and (never := totals.never()):
        found.append(f"in {totals.seeds} seeds these never occurred: {', '.join(never)}")
    return found
