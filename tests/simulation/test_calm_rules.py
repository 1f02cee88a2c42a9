"""The rules of the calm end of a run against histories that are wrong on purpose."""

from collections.abc import Mapping

import pytest

from tests.support.simulation.checker import check
from tests.support.simulation.history import (
    Extent,
    History,
    LogName,
    Old,
    Outcome,
    Retry,
    Trial,
    Watch,
)
from tests.support.simulation.liveness_rules import WATCH_S

LOG = LogName("orders", 0)
AGE = {"retention_age_s": 1}
SIZE = {"retention_bytes": 100}


def broken(history: History) -> set[str]:
    return set(check(history))


def test_reader_that_is_given_a_record_late_or_never() -> None:
    watch = Watch("r", b"v", 5.0, 5.1)
    history = History(watches=[watch])
    assert broken(history) == set()
    watch.seen_s = 5.1 + WATCH_S
    assert broken(history) == {"unseen"}
    assert broken(History(watches=[Watch("r", b"v", 5.0)])) == {"unseen"}


def test_what_is_kept_for_who_is_gone() -> None:
    assert broken(History(leftovers=["tokens: {1: 2}"])) == {"leftover"}


def test_broker_that_ends_by_itself() -> None:
    assert broken(History(collapses=["a background task failed: RuntimeError()"])) == {"collapsed"}


@pytest.mark.parametrize(
    ("settings", "first_offset", "size_bytes", "is_hoarded"),
    [
        (AGE, 2, 500, False),
        (AGE, 1, 50, True),
        (SIZE, 0, 200, False),
        (SIZE, 5, 201, True),
    ],
)
def test_what_is_to_be_removed_is_not(
    settings: Mapping[str, int], first_offset: int, size_bytes: int, *, is_hoarded: bool
) -> None:
    extent = Extent(LOG, first_offset, 10, size_bytes, 10.0)
    found = broken(History(old=[Old(extent, settings, 1, 200)]))
    assert found == ({"hoarded"} if is_hoarded else set())


def test_age_says_nothing_where_the_clock_has_jumped() -> None:
    old = Old(Extent(LOG, 1, 10, 50, 10.0), AGE, 1, 200)
    assert broken(History(old=[old], jumps=[5.0])) == set()


@pytest.mark.parametrize(("answered", "found"), [(1, set()), (9, {"forgotten"})])
def test_record_is_taken_for_a_new_one(answered: int, found: set[str]) -> None:
    assert broken(History(retries=[Retry(LOG, 1, answered)])) == found
    assert broken(History(retries=[Retry(LOG, 1, None)])) == {"forgotten"}


@pytest.fixture
def trial() -> Trial:
    """A worker crashed at the first second and acked too late what another one got after that."""
    return Trial([(0, 1)], until_s=1.0, second_s=1.1, stale=Outcome.FAILED, attempts=[(0, 1)])


def test_somebody_has_what_another_one_still_holds(trial: Trial) -> None:
    history = History(trials=[trial])
    assert broken(history) == set()
    trial.second_s = 0.9
    assert broken(history) == {"usurped"}


def test_somebody_settles_what_another_one_has(trial: Trial) -> None:
    for outcome in (Outcome.UNKNOWN, Outcome.PENDING):
        trial.stale = outcome
        assert broken(History(trials=[trial])) == set()
    trial.stale = Outcome.OK
    assert broken(History(trials=[trial])) == {"usurped"}


def test_attempts_do_not_count(trial: Trial) -> None:
    history = History(trials=[trial])
    trial.attempts = [(0, 0)]
    assert broken(history) == {"uncounted"}
    trial.attempts = [(0, 1), (1, 1)]
    assert broken(history) == {"uncounted"}
    trial.attempts = [(0, 1)]
    trial.is_dead = False
    assert broken(history) == {"uncounted"}
