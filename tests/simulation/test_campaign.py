from collections import Counter

import pytest

from tapemq_broker.storage.decision import Row
from tests.support.simulation.campaign import (
    SEEDS_FOR_EVERYTHING,
    failures,
    run_all,
    seeds_of,
)
from tests.support.simulation.totals import FAULTS, Totals


def test_seeds_as_they_are_typed() -> None:
    assert seeds_of("7") == range(7, 8)
    assert seeds_of("0-19999") == range(20_000)
    for text in ("", "x", "7-3", "1-2-3"):
        with pytest.raises(ValueError, match=r"\S"):
            seeds_of(text)


def test_processes_find_what_one_finds() -> None:
    heard: list[int] = []
    together = run_all(range(2), processes=2, tell=lambda some: heard.append(some.seeds))
    alone = Totals()
    for seed in range(2):
        some = run_all(range(seed, seed + 1))
        alone.merge(some)
    assert together == alone
    assert sum(heard) == 2
    assert together.complaints == {}


def everything() -> Totals:
    rows = Counter(row.name for row in Row)
    return Totals(seeds=SEEDS_FOR_EVERYTHING, faults=Counter(FAULTS.keys()), rows=rows)


def test_what_is_wrong_says_how_to_see_it_again() -> None:
    totals = everything()
    assert failures(totals) == []
    totals.complaints = {12: "lost: b'v1'"}
    assert failures(totals) == ["seed 12: lost: b'v1'\nreplay: make simulate SEEDS=12"]


def test_what_never_occurs_is_a_failure() -> None:
    totals = everything()
    del totals.rows["TORN_GAP"], totals.faults["misdirect"]
    (wrong,) = failures(totals)
    assert "misdirect, TORN_GAP" in wrong
    totals.seeds = 100
    assert failures(totals) == []


def test_the_largest_is_not_added_up() -> None:
    totals = Totals(counts=Counter(acked=1, p99_ms=5))
    totals.merge(Totals(counts=Counter(acked=2, p99_ms=3)))
    assert totals.counts == {"acked": 3, "p99_ms": 5, "handed_out_max": 0}


def test_figures_tell_kinds_of_what_is_wrong() -> None:
    totals = everything()
    totals.complaints = {1: "lost: b'v1'", 2: "duplicate: b'v2'", 3: "the broker hangs"}
    figures = totals.figures()
    assert [figures[name] for name in ("lost", "duplicated", "wrong")] == [1, 1, 1]
    assert figures["kinds_of_faults"] == f"{len(FAULTS)} of {len(FAULTS)}"
    assert figures["rows_of_the_table"] == f"{len(Row)} of {len(Row)}"
