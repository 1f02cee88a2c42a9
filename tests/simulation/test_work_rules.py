"""The rules of queue groups against histories that are wrong on purpose."""

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


def value(number: int) -> bytes:
    return b"v%d" % number


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
        *("w", "q", place(offset), value(offset), lease_id, failures, crashes),
        at_s=float(lease_id),
        verb=verb,
        outcome=outcome,
        said_s=lease_id + 0.1,
        done_s=lease_id + 0.5,
    )


@pytest.fixture
def history() -> History:
    """Three records; one is acked, one fails and is acked more than a second later, one is dead."""
    publishes = [
        Publish("p", n, "orders", value(n), float(n), n + 0.5, Outcome.OK, True, place(n))
        for n in range(3)
    ]
    works = [
        *(work(0, 1, "ack"), work(1, 2, "nack"), work(1, 4, "ack", failures=1)),
        work(2, 3, "reject"),
    ]
    return History(
        publishes=publishes,
        works=works,
        queues={"q": "orders"},
        terms={"q": Terms(1.0, key_lanes=True)},
        dead={"q": [Dead(place(2), "rejected")]},
        final={LOG: {number: value(number) for number in range(3)}},
        up=[(0.0, 30.0)],
    )


def broken(history: History) -> set[str]:
    return set(check(history))


def test_good_history_breaks_no_rule(history: History) -> None:
    assert broken(history) == set()


@pytest.mark.parametrize("offset", [0, 2])
def test_record_comes_again_after_a_confirmed_end(history: History, offset: int) -> None:
    history.works.append(work(offset, 9, "release"))
    assert broken(history) == {"settled_again"}
    for item in history.works:
        if item.place == place(offset):
            item.outcome = Outcome.UNKNOWN
    assert broken(history) == set()


def test_record_of_an_older_lease_may_be_handed_out_late(history: History) -> None:
    late = work(0, 0, "ack", Outcome.FAILED)
    late.at_s = 20.0
    history.works.append(late)
    assert broken(history) == set()


@pytest.mark.parametrize("failures", [0, 2])
def test_failures_are_miscounted(history: History, failures: int) -> None:
    history.works[2].failures = failures
    assert broken(history) == {"miscounted"}


def test_failures_that_are_not_known_may_count(history: History) -> None:
    history.works[1].outcome = Outcome.UNKNOWN
    for failures in (0, 1):
        history.works[2].failures = failures
        assert broken(history) == set()
    history.works[1].outcome = Outcome.FAILED
    assert broken(history) == {"miscounted"}


def test_crashes_need_somebody_who_crashed(history: History) -> None:
    history.works[2].crashes = 1
    assert broken(history) == {"miscounted"}
    history.works.insert(2, work(1, 3, "", Outcome.PENDING, failures=1))
    assert broken(history) == set()


def test_record_is_never_settled(history: History) -> None:
    del history.works[0]
    assert broken(history) == {"unworked"}
    history.works.append(work(0, 9, "nack"))
    assert broken(history) == {"unworked"}
    history.works.append(work(0, 10, "ack", Outcome.FAILED, failures=1))
    assert broken(history) == {"unworked"}
    history.works[-1].outcome = Outcome.PENDING
    assert broken(history) == set()


def test_group_that_was_not_drained_may_have_left_some(history: History) -> None:
    for known in (history.works, history.queues, history.dead):
        known.clear()
    assert broken(history) == set()


def test_what_had_been_removed_before_its_group_was_made_is_not_missed(history: History) -> None:
    group = history.works[0].group
    del history.works[0]
    history.queue_starts[group, LOG] = 1
    assert broken(history) == set()
    history.queue_starts[group, LOG] = 0
    assert broken(history) == {"unworked"}
    history.dropped_upto[LOG] = 1
    assert broken(history) == set()


def test_what_is_leased_is_what_was_published(history: History) -> None:
    history.works[0].value = b"other"
    assert broken(history) >= {"inconsistent_offset", "phantom"}


def test_what_was_leased_does_not_vanish(history: History) -> None:
    del history.final[LOG][2]
    assert broken(history) == {"lost", "phantom"}


def test_record_comes_again_before_its_delay_is_over(history: History) -> None:
    history.works[2].at_s = history.works[1].said_s + 0.7  # a quarter less than a second is due
    assert broken(history) == {"hasty"}
    history.jumps.append(history.works[2].at_s)
    assert broken(history) == set()
    history.jumps.clear()
    history.works[1].outcome = Outcome.UNKNOWN
    assert broken(history) == set()


def test_record_passes_another_one_of_its_key(history: History) -> None:
    history.publishes[1].key = history.publishes[2].key = "a"
    assert broken(history) == {"overtaken"}  # the second came again when the third was out
    history.terms["q"] = Terms(1.0, key_lanes=False)
    assert broken(history) == set()


def test_records_of_a_key_come_one_behind_the_other(history: History) -> None:
    history.publishes[0].key = history.publishes[1].key = "a"
    assert broken(history) == set()
    history.works[0].outcome = Outcome.FAILED
    history.works.append(work(0, 9, "ack"))
    assert broken(history) == {"overtaken"}


def test_keys_say_nothing_of_what_was_gone(history: History) -> None:
    history.publishes[0].key = history.publishes[1].key = "a"
    del history.works[0]
    history.queue_starts["q", LOG] = 1
    assert broken(history) == set()


def test_dead_record_is_lost_or_twice_there(history: History) -> None:
    history.dead["q"] = []
    assert broken(history) == {"unburied", "unworked"}
    history.dead["q"] = 2 * [Dead(place(2), "rejected")]
    assert broken(history) == {"unburied"}
    history.works[-1].outcome = Outcome.UNKNOWN
    history.dead["q"] = []
    assert broken(history) == {"unworked"}
    history.dead.clear()
    assert broken(history) == set()


def test_record_is_dead_and_nobody_rejected_it(history: History) -> None:
    history.dead["q"].append(Dead(place(0), "rejected"))
    assert broken(history) == {"unburied"}


def test_what_was_removed_must_have_been_settled_before(history: History) -> None:
    history.first_offsets[LOG] = 2
    assert broken(history) == set()
    del history.works[2]  # the ack of the second
    assert broken(history) == {"unworked"}
    history.works[0].outcome = Outcome.FAILED
    assert broken(history) == {"unworked"}
    history.dropped_upto[LOG] = 2
    assert broken(history) == set()
