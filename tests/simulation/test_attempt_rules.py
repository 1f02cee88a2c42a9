"""The rules of attempts against histories that are wrong on purpose."""

import pytest

from tests.support.simulation.checker import check
from tests.support.simulation.history import (
    Dead,
    History,
    LogName,
    Outcome,
    Place,
    Publish,
    Terms,
    Work,
)

LOG = LogName("orders", 0)


def place(offset: int) -> Place:
    return Place("orders", 0, offset)


def work(
    offset: int,
    lease_id: int,
    verb: str,
    outcome: Outcome = Outcome.OK,
    *,
    failures: int = 0,
    crashes: int = 0,
) -> Work:
    return Work(
        *("w", "q", place(offset), b"v%d" % offset, lease_id, failures, crashes),
        at_s=float(lease_id),
        verb=verb,
        outcome=outcome,
        said_s=lease_id + 0.1,
        done_s=lease_id + 0.5,
    )


@pytest.fixture
def history() -> History:
    """Two attempts each: the first fails and crashes, the second fails and is acked."""
    works = [
        *(work(0, 1, "nack"), work(0, 4, "", Outcome.PENDING, failures=1)),
        *(work(1, 2, "nack"), work(1, 3, "ack", failures=1)),
    ]
    return History(
        works=works,
        queues={"q": "orders"},
        terms={"q": Terms(0.0, key_lanes=False, max_attempts=2)},
        dead={"q": [Dead(place(0), "crashed", 1, 1)]},
        final={LOG: {number: b"v%d" % number for number in range(2)}},
    )


def broken(history: History) -> set[str]:
    return set(check(history)) - {"phantom"}  # nothing is known of who published


def test_good_history_breaks_no_rule(history: History) -> None:
    assert broken(history) == set()


def test_record_comes_once_too_often(history: History) -> None:
    history.works.append(work(0, 5, "", Outcome.PENDING, failures=1, crashes=1))
    assert broken(history) == {"undead"}
    history.terms["q"] = Terms(0.0, key_lanes=False, max_attempts=3)
    assert broken(history) == {"misfiled"}


def test_any_number_of_attempts_is_none_too_many(history: History) -> None:
    history.terms["q"] = Terms(0.0, key_lanes=False)
    history.works[1] = work(0, 4, "ack", failures=1)
    history.dead["q"].clear()
    assert broken(history) == set()
    history.works[1].verb = "nack"
    assert broken(history) == {"unworked"}


def test_crashes_are_forgotten(history: History) -> None:
    history.terms["q"] = Terms(0.0, key_lanes=False, max_attempts=3)
    history.works[1].crashes = 1
    history.works.insert(1, work(0, 2, "", Outcome.PENDING, failures=1))
    history.dead["q"] = [Dead(place(0), "crashed", 1, 2)]
    assert broken(history) == set()
    history.works.append(work(0, 6, "ack", Outcome.FAILED, failures=1))
    history.dead["q"] = [Dead(place(0), "crashed", 1, 2)]
    assert broken(history) == {"recounted"}


@pytest.mark.parametrize(
    "dead",
    [
        Dead(place(0), "crashed", 1, 0),
        Dead(place(0), "crashed", 2, 1),
        Dead(place(0), "failed", 2, 0),
        Dead(place(0), "rejected", 1, 0),
    ],
)
def test_dead_for_another_reason(history: History, dead: Dead) -> None:
    history.dead["q"] = [dead]
    assert broken(history) == {"misfiled"}


def test_end_that_nobody_knows(history: History) -> None:
    history.works[1].verb = "nack"
    for dead in (Dead(place(0), "crashed", 1, 1), Dead(place(0), "failed", 2, 0)):
        history.dead["q"] = [dead]
        assert broken(history) == set()
    history.works[1].verb = "reject"
    for dead in (Dead(place(0), "crashed", 1, 1), Dead(place(0), "rejected", 1, 0)):
        history.dead["q"] = [dead]
        assert broken(history) == set()
    history.works[1].outcome = Outcome.OK
    assert broken(history) == set()
    history.dead["q"] = [Dead(place(0), "crashed", 1, 1)]
    assert broken(history) == {"misfiled"}


def test_dead_record_that_had_an_attempt_left(history: History) -> None:
    history.works[1].failures = 0
    history.works[0].outcome = Outcome.UNKNOWN
    assert broken(history) == {"unburied"}


def test_record_that_is_not_dead_after_its_last_attempt(history: History) -> None:
    history.works[1].verb, history.works[1].outcome = "nack", Outcome.OK
    history.dead["q"].clear()
    assert broken(history) == {"unburied", "unworked"}
    history.works[1].outcome = Outcome.UNKNOWN
    assert broken(history) == {"unworked"}
    # Nobody has asked for the dead.
    history.dead.clear()
    assert broken(history) == set()


@pytest.mark.parametrize(
    ("lease_id", "found"), [(5, set()), (4, {"overtaken"}), (3, {"overtaken"})]
)
def test_next_of_a_key_comes_behind_the_last_attempt(
    history: History, lease_id: int, found: set[str]
) -> None:
    history.terms["q"] = Terms(0.0, key_lanes=True, max_attempts=2)
    history.publishes = [
        Publish("p", n, "orders", b"v%d" % n, 0.0, 0.5, Outcome.OK, True, place(n), key="a")
        for n in range(2)
    ]
    del history.works[2]
    history.works[2] = work(1, lease_id, "ack")
    assert broken(history) == found
