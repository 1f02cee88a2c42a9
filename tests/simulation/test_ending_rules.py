"""The rules of what operators do to queue groups against histories that are wrong on purpose."""

import pytest

from tests.support.simulation.checker import check
from tests.support.simulation.history import (
    Dead,
    History,
    Intervention,
    LogName,
    Outcome,
    Place,
    Publish,
    Terms,
    Work,
)

OPERATED, SOUGHT = LogName("orders", 0), LogName("orders", 1)


def place(offset: int) -> Place:
    """The first two are in one partition, the others in another."""
    return Place("orders", offset // 2, offset)


def work(offset: int, lease_id: int, verb: str, outcome: Outcome = Outcome.OK) -> Work:
    return Work(
        *("w", "q", place(offset), b"v%d" % offset, lease_id, 0, 0),
        at_s=float(lease_id),
        verb=verb,
        outcome=outcome,
        said_s=lease_id + 0.1,
        done_s=lease_id + 0.5,
        opened_s=lease_id - 0.1,
    )


def call(verb: str, at_s: float, *offsets: int) -> Intervention:
    places = frozenset(map(place, offsets))
    done = at_s + 0.2, Outcome.OK, at_s - 0.1
    return Intervention(verb, "q", at_s, *done, places, affected=len(places))


def seek(at_s: float, offset: int) -> Intervention:
    where = place(offset)
    done = at_s + 0.2, Outcome.OK
    return Intervention("seek", "q", at_s, *done, log=where.log, low=offset, high=offset)


def unanswered(one: Intervention) -> Intervention:
    one.outcome, one.done_s = Outcome.UNKNOWN, float("inf")
    return one


@pytest.fixture
def history() -> History:
    """The first record is dead, redriven and acked; the second one dead and discarded; the third
    one is acked, and again after a seek back; a fourth one stays dead."""
    works = [
        *(work(0, 1, "reject"), work(1, 2, "reject"), work(2, 3, "ack"), work(3, 4, "reject")),
        *(work(0, 11, "ack"), work(2, 21, "ack"), work(3, 22, "reject")),
    ]
    return History(
        works=works,
        queues={"q": "orders"},
        terms={"q": Terms(0.0, key_lanes=False)},
        dead={"q": [Dead(place(3), "rejected")]},
        dead_counts={"q": 1},
        interventions=[call("redrive", 10.0, 0), call("discard", 12.0, 1), seek(20.0, 2)],
        final={OPERATED: {0: b"v0", 1: b"v1"}, SOUGHT: {2: b"v2", 3: b"v3"}},
        up=[(0.0, 30.0)],
    )


def broken(history: History) -> set[str]:
    return set(check(history)) - {"phantom"}  # nothing is known of who published


def test_good_history_breaks_no_rule(history: History) -> None:
    assert broken(history) == set()


def test_redriven_record_never_comes_again(history: History) -> None:
    del history.works[4]
    assert broken(history) == {"unrevived", "unworked"}
    history.works.append(work(0, 5, "ack"))  # of an older lease
    history.works[0].verb = "nack"
    history.works[0].outcome = Outcome.UNKNOWN
    assert broken(history) == {"unrevived"}
    history.interventions[0].outcome = Outcome.UNKNOWN
    assert broken(history) == set()


def test_redriven_record_may_be_discarded_or_skipped_instead(history: History) -> None:
    del history.works[4]
    history.interventions.append(unanswered(call("discard", 9.0, 0)))
    assert broken(history) == set()
    history.interventions[-1] = seek(15.0, 1)
    assert broken(history) == {"unsought"}  # the second one did not come again, either
    history.interventions[-1] = seek(8.0, 1)
    assert broken(history) == {"unrevived"}


def test_discarded_record_comes_again(history: History) -> None:
    history.works.append(work(1, 13, "ack"))
    assert broken(history) == {"settled_again", "undiscarded"}
    # It was dead, so what had been asked for without an answer may have let it live again before.
    history.interventions.append(unanswered(call("redrive", 5.0, 1)))
    assert broken(history) == set()
    # Nobody can have asked for it later: it was not dead any more.
    history.interventions[-1] = unanswered(call("redrive", 12.5, 1))
    assert broken(history) == {"undiscarded"}
    history.interventions[-1] = unanswered(seek(12.5, 1))
    assert broken(history) == set()


def test_discard_counts_of_what_was_dead_for_sure(history: History) -> None:
    history.works.append(work(1, 13, "ack"))
    history.works[1].outcome = Outcome.UNKNOWN
    assert broken(history) == {"undiscarded"}
    history.up = [(0.0, 11.95), (12.0, 30.0)]  # its death may have been lost
    assert broken(history) == set()


def test_discarded_record_is_listed_again(history: History) -> None:
    history.dead["q"].append(Dead(place(1), "rejected"))
    history.dead_counts["q"] = 2
    assert broken(history) == {"unburied"}
    history.interventions[1].outcome = Outcome.UNKNOWN
    assert broken(history) == set()


def test_acked_record_comes_again_behind_a_redrive(history: History) -> None:
    history.works.append(work(0, 13, "ack"))
    history.interventions.append(call("redrive", 12.0, 0))
    history.interventions[-1].affected = 0
    assert "settled_again" in broken(history)
    history.interventions[-1] = seek(12.0, 0)
    assert "settled_again" not in broken(history)


@pytest.mark.parametrize(("at_s", "low"), [(22.0, 2), (2.0, 2), (20.0, 3)])
def test_record_comes_again_and_no_seek_explains_it(
    history: History, at_s: float, low: int
) -> None:
    history.interventions[2] = seek(at_s, low)
    assert "settled_again" in broken(history)


def test_record_is_lost_behind_a_seek(history: History) -> None:
    del history.works[5]
    assert broken(history) == {"unsought"}
    history.interventions[2].high = 3
    assert broken(history) == set()
    history.interventions[2] = unanswered(seek(20.0, 2))
    assert broken(history) == set()


def test_dead_record_behind_a_seek_must_die_again(history: History) -> None:
    del history.works[6]
    assert broken(history) == {"unburied"}
    history.interventions[2].high = 4
    assert broken(history) == set()


def test_record_in_front_of_a_seek_need_not_come(history: History) -> None:
    del history.works[5], history.works[2]
    assert broken(history) == {"unworked", "unsought"}
    history.interventions.append(seek(21.5, 3))
    assert broken(history) == set()
    history.interventions[-1] = seek(19.0, 3)
    assert broken(history) == {"unsought"}


def test_dead_record_in_front_of_a_seek_stays_dead(history: History) -> None:
    history.dead["q"].clear()
    history.dead_counts.clear()
    history.interventions[2] = seek(23.0, 2)
    assert broken(history) >= {"unsought"}
    assert "unburied" not in broken(history)
    history.interventions[2].low = 4
    assert "unburied" in broken(history)


def test_wrong_number_is_answered(history: History) -> None:
    for affected in (0, 2):
        history.interventions[0].affected = affected
        assert broken(history) == {"misreported"}
    history.interventions[0].every = True  # one more may have died
    assert broken(history) == set()
    history.interventions[0].affected = 0
    assert broken(history) == {"misreported"}
    history.interventions.append(unanswered(call("discard", 9.0, 0)))
    assert broken(history) == set()


def test_group_tells_another_number_than_it_lists(history: History) -> None:
    history.dead_counts["q"] = 2
    assert broken(history) == {"misnumbered"}
    history.interventions.append(unanswered(call("discard", 12.0, 3)))
    assert broken(history) == set()


def test_counts_begin_anew_with_a_redrive_or_a_seek(history: History) -> None:
    history.terms["q"] = Terms(0.0, key_lanes=False, max_attempts=2)
    failed = work(0, 2, "nack")
    failed.failures = 1
    history.works[0:1] = [work(0, 1, "nack"), failed]
    assert broken(history) == set()
    history.works[5].failures = 1  # it had failed before it died, not since
    assert broken(history) == {"miscounted"}
    history.works[5].failures = 0
    del history.interventions[0]
    assert broken(history) == {"recounted", "unburied"}
    history.interventions.append(seek(10.0, 0))
    assert broken(history) == set()


@pytest.mark.parametrize(("lease_id", "found"), [(22, set()), (20, {"overtaken"})])
def test_keys_keep_their_order_behind_a_seek(
    history: History, lease_id: int, found: set[str]
) -> None:
    history.terms["q"] = Terms(0.0, key_lanes=True)
    history.publishes = [
        Publish("p", n, "orders", b"v%d" % n, 0.0, 0.5, Outcome.OK, True, place(n), key="a")
        for n in (2, 3)
    ]
    history.works[6] = work(3, lease_id, "reject")
    history.interventions[2] = seek(19.0, 2)
    assert broken(history) == found


def test_record_may_come_when_the_one_in_front_of_it_was_skipped(history: History) -> None:
    test_keys_keep_their_order_behind_a_seek(history, 20, {"overtaken"})
    history.interventions.append(unanswered(seek(19.5, 3)))
    assert broken(history) == set()
    history.interventions[-1].invoked_s = 21.5
    assert broken(history) == {"overtaken"}
