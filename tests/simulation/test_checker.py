"""Each rule against histories that are wrong on purpose, beside one that is right."""

from dataclasses import replace

import pytest

from tests.support.simulation.checker import RULES, check, report, verdict
from tests.support.simulation.history import (
    Commit,
    Delivery,
    History,
    LogName,
    Most,
    Outcome,
    Place,
    Position,
    Publish,
    Reader,
    Seek,
)

LOG = LogName("orders", 0)
INF = float("inf")


def value(number: int) -> bytes:
    return b"v%d" % number


def place(offset: int) -> Place:
    return Place("orders", 0, offset)


def publish(number: int, offset: int | None, outcome: Outcome = Outcome.OK) -> Publish:
    where = None if offset is None else place(offset)
    at_s = float(number)
    return Publish("p", number, "orders", value(number), at_s, at_s + 0.5, outcome, True, where)


def delivery(number: int, at_s: float, reader: str = "r") -> Delivery:
    return Delivery(reader, place(number), value(number), at_s)


def good() -> History:
    """Five records published, found, read without a group and by a group that commits."""
    return History(
        publishes=[publish(number, number) for number in range(5)],
        deliveries=[delivery(number, 10.0 + number) for number in range(5)]
        + [delivery(number, 20.0 + number, "g1") for number in range(5)],
        readers={
            "r": Reader("r", "orders", "", True, 9.0, 16.0),
            "g1": Reader("g1", "orders", "g", True, 19.0, 30.0),
        },
        commits=[Commit("g1", "g", LOG, 5, 26.0, 27.0, Outcome.OK)],
        positions=[Position("g", LOG, 5, 28.0, 29.0)],
        final={LOG: {number: value(number) for number in range(5)}},
        up=[(0.0, 30.0)],
    )


@pytest.fixture
def history() -> History:
    return good()


def broken(history: History) -> set[str]:
    return set(check(history))


def test_good_history_breaks_no_rule(history: History) -> None:
    assert check(history) == {}
    assert verdict({}) == ""
    assert len({rule.__name__ for rule in RULES}) == 46
    assert report(history) == {
        "attempted": 5,
        "acked": 5,
        "failed": 0,
        "unknown": 0,
        "recovered": 0,
        "delivered": 10,
        "committed": 1,
        **dict.fromkeys(("worked", "settled", "scheduled", "exhausted"), 0),
        **dict.fromkeys(("redriven", "discarded", "sought"), 0),
        "handed_out_max": 0,
        "p99_ms": 500,
    }
    assert history.operations() == 21


def test_verdict_shows_a_few_examples(history: History) -> None:
    history.final[LOG].clear()
    lines = verdict(check(history)).splitlines()
    assert lines[0].startswith("lost: b'v0', acknowledged at 0.5")
    assert lines[3] == "lost: and 2 more"


def test_receipt_and_log_disagree(history: History) -> None:
    history.final[LOG][2] = b"other"
    history.publishes.append(replace(publish(9, None), value=b"other"))
    assert "inconsistent_offset" in broken(history)


def test_two_readers_see_two_values(history: History) -> None:
    history.deliveries[7] = history.deliveries[7]._replace(value=value(9))
    history.publishes.append(publish(9, None, Outcome.UNKNOWN))
    assert broken(history) == {"inconsistent_offset"}


def test_duplicate(history: History) -> None:
    history.final[LOG][5] = value(1)
    history.deliveries += [
        Delivery("r", place(5), value(1), 15.0),
        Delivery("g1", place(5), value(1), 25.0),
    ]
    assert broken(history) == {"duplicate"}


def test_lost(history: History) -> None:
    del history.final[LOG][4]
    history.deliveries = [item for item in history.deliveries if item.place.offset != 4]
    assert broken(history) == {"lost"}
    # Without a receipt it is known only that it must be somewhere.
    history.publishes[4].place = None
    assert broken(history) == {"lost"}
    history.publishes[4].outcome = Outcome.UNKNOWN
    assert broken(history) == set()


def without_last(history: History, count: int) -> History:
    """The last records are only written, and gone after a power cut."""
    for number in range(5 - count, 5):
        del history.final[LOG][number]
        history.publishes[number].durable = False
    history.deliveries = [item for item in history.deliveries if item.place.offset < 5 - count]
    history.losses = [8.0]
    return history


def test_written_records_may_be_lost_in_a_power_cut(history: History) -> None:
    assert broken(without_last(history, 2)) == set()
    # Their offsets may be given away again.
    history.final[LOG][3] = b"new"
    history.publishes.append(replace(publish(10, 3), value=b"new"))
    history.deliveries += [
        Delivery("r", place(3), b"new", 15.0),
        Delivery("g1", place(3), b"new", 25.0),
    ]
    assert broken(history) == set()
    history.losses = []
    assert broken(history) == {"lost", "inconsistent_offset"}


def test_written_record_lost_before_one_that_is_not(history: History) -> None:
    without_last(history, 2)
    history.final[LOG][4] = value(4)
    history.deliveries += [delivery(4, 15.0), delivery(4, 25.0, "g1")]
    assert broken(history) == {"hole"}


def test_phantom_was_never_published(history: History) -> None:
    del history.publishes[2]
    assert broken(history) == {"phantom"}


def test_phantom_was_refused(history: History) -> None:
    history.publishes[2].outcome = Outcome.FAILED
    assert broken(history) == {"phantom"}


def test_phantom_vanishes(history: History) -> None:
    history.publishes[4].outcome = Outcome.UNKNOWN
    del history.final[LOG][4]
    assert broken(history) == {"phantom"}


def test_reordered(history: History) -> None:
    first, second = history.publishes[1:3]
    first.number, second.number = second.number, first.number
    assert broken(history) == {"reordered"}
    second.producer = "another"
    assert broken(history) == set()


def test_order_holds_within_a_log_only(history: History) -> None:
    history.publishes.append(replace(publish(5, None), place=Place("orders", 1, 0)))
    history.final[LogName("orders", 1)] = {0: value(5)}
    history.deliveries.append(Delivery("g1", Place("orders", 1, 0), value(5), 25.5))
    assert broken(history) == set()


def test_topics_come_and_go(history: History) -> None:
    history.final_topics = ["a", "b"]
    history.topics = {"a": True, "b": None, "c": None, "d": False}
    assert broken(history) == set()
    history.topics["d"] = True
    assert broken(history) == {"catalog"}
    history.topics["d"] = None
    history.topics["a"] = False
    assert broken(history) == {"catalog"}


def test_reader_skips(history: History) -> None:
    del history.deliveries[2]
    assert broken(history) == {"skip"}


def test_reader_starts_late(history: History) -> None:
    del history.deliveries[0]
    assert broken(history) == {"skip"}
    history.readers["r"].from_start = False
    assert broken(history) == set()


def test_reader_may_jump_over_offsets_that_nobody_has(history: History) -> None:
    del history.final[LOG][2]
    del history.publishes[2]
    history.deliveries = [item for item in history.deliveries if item.place.offset != 2]
    assert broken(history) == set()


def test_reader_repeats(history: History) -> None:
    history.deliveries.insert(3, delivery(2, 12.5))
    assert broken(history) == {"nonmonotonic"}


def shared(history: History, opened_s: float, closed_s: float) -> History:
    """Another member of the group, which is handed a record too."""
    history.readers["g2"] = Reader("g2", "orders", "g", True, opened_s, closed_s)
    return history


def test_member_alone_skips_and_repeats(history: History) -> None:
    history.deliveries.insert(8, delivery(1, 22.5, "g1"))
    assert broken(history) == {"nonmonotonic", "skip"}
    assert broken(shared(history, 22.2, 22.8)) == set()
    # Its coming is noticed a little later.
    assert broken(shared(history, 0.0, 13.0)) == set()
    for opened_s, closed_s in ((0.0, 11.0), (50.0, 60.0)):
        assert broken(shared(history, opened_s, closed_s)) == {"nonmonotonic", "skip"}


def test_member_may_repeat_after_a_seek(history: History) -> None:
    history.deliveries.insert(8, delivery(1, 22.5, "g1"))
    history.seeks.append(Seek("g", LOG, 1, 22.1, 22.2))
    assert broken(history) == set()
    history.seeks[0] = Seek("g", LOG, 1, 10.1, 10.2)
    assert broken(history) == {"nonmonotonic", "skip"}
    history.seeks.append(Seek("g", LOG, 3, 22.6, INF))
    assert broken(history) == {"nonmonotonic"}


def test_group_never_gets_a_record(history: History) -> None:
    del history.deliveries[9]
    history.positions.clear()
    assert broken(history) == {"undelivered"}
    history.readers["g1"].from_start = False
    assert broken(history) == set()


def shortened(history: History) -> History:
    """Retention has removed the first two records."""
    del history.final[LOG][0], history.final[LOG][1]
    history.first_offsets[LOG] = 2
    return history


def test_retention_removes_records(history: History) -> None:
    assert broken(shortened(history)) == set()
    history.first_offsets[LOG] = 1
    assert broken(history) == {"lost", "phantom"}


def test_retention_may_go_on_after_the_last_look(history: History) -> None:
    history.first_offsets[LOG] = 4
    del history.deliveries[7:9]
    assert broken(history) == set()
    history.first_offsets[LOG] = 3
    assert broken(history) == {"skip", "undelivered", "position_ahead"}


def test_group_that_holds_gets_what_retention_removes(history: History) -> None:
    shortened(history)
    del history.deliveries[6]
    shared(history, 0.0, 50.0)
    assert broken(history) == set()
    history.readers["g1"].hold = True
    assert broken(history) == {"undelivered"}


def test_redelivered_to_the_one_who_committed(history: History) -> None:
    history.deliveries.append(delivery(4, 28.0, "g1"))
    shared(history, 27.5, 27.6)
    assert broken(history) == {"redelivered"}
    history.seeks.append(Seek("g", LOG, 4, 27.2, 27.3))
    assert broken(history) == set()


def test_redelivered_to_another_member(history: History) -> None:
    shared(history, 27.5, 40.0)
    history.deliveries.append(delivery(4, 28.0, "g2"))
    assert broken(history) == {"redelivered"}
    # Had it been there before the commit, it might have held the record all the time, but not
    # for ever.
    history.readers["g2"].opened_s = 19.0
    assert broken(history) == set()
    history.deliveries[-1] = delivery(4, 100.0, "g2")
    assert broken(history) == {"redelivered"}


def test_commit_without_an_answer_forbids_nothing(history: History) -> None:
    history.commits[0].outcome = Outcome.UNKNOWN
    shared(history, 27.5, 40.0)
    history.deliveries.append(delivery(4, 28.0, "g2"))
    assert broken(history) == set()


def test_position_goes_back(history: History) -> None:
    history.positions.append(Position("g", LOG, 4, 29.0, 29.5))
    assert broken(history) == {"position_regression"}
    history.seeks.append(Seek("g", LOG, 4, 28.2, 28.5))
    assert broken(history) == set()


def test_position_that_was_asked_before_the_commit(history: History) -> None:
    history.positions.append(Position("g", LOG, 0, 26.5, 28.0))
    assert broken(history) == set()


def test_position_beyond_what_was_handed_out(history: History) -> None:
    del history.deliveries[9]
    assert broken(history) == {"undelivered", "position_ahead"}
    history.readers["g1"].from_start = False
    assert broken(history) == {"position_ahead"}
    history.seeks.append(Seek("g", LOG, 5, 24.0, 25.0))
    assert broken(history) == set()


def test_stuck(history: History) -> None:
    history.up = [(0.0, 1000.0)]
    assert broken(history) == set()
    history.publishes.append(replace(publish(5, None, Outcome.PENDING), invoked_s=25.0, done_s=INF))
    assert broken(history) == {"stuck"}
    # Many short waits are no better than a long one.
    del history.publishes[-1]
    for number in range(10):
        at_s = 30.0 + 10 * number
        waiting = publish(10 + number, None, Outcome.UNKNOWN)
        history.publishes.append(replace(waiting, invoked_s=at_s, done_s=at_s + 9))
    assert broken(history) == {"stuck"}
    history.up = [(0.0, 60.0), (90.0, 120.0)]
    assert broken(history) == set()


def test_torn_batch(history: History) -> None:
    history.frames = [frozenset({value(3), value(4)}), frozenset({value(8), value(9)})]
    assert broken(history) == set()
    del history.final[LOG][4]
    assert "torn_batch" in broken(history)


def test_torn_batch_whose_oldest_records_were_dropped(history: History) -> None:
    history.frames = [frozenset({value(3), value(4)})]
    history.dropping = {"orders": Most(1, 0)}
    gone = history.final[LOG].pop(3)
    assert "torn_batch" not in broken(history)
    history.final[LOG] = {3: gone}
    assert "torn_batch" in broken(history)


def test_overfull(history: History) -> None:
    history.dropping = {"orders": Most(4, 0)}
    assert broken(history) == {"overfull"}
    history.first_offsets[LOG] = 1
    assert broken(history) == set()
    history.first_offsets.clear()
    history.readers["g1"].hold = True
    assert broken(history) == set()


def test_overfull_with_bytes(history: History) -> None:
    for most_bytes, found in ((10_000, set[str]()), (1, {"overfull"})):
        history.dropping = {"orders": Most(0, most_bytes)}
        assert broken(history) == found


def test_publishers_to_a_full_topic_may_wait(history: History) -> None:
    history.up = [(0.0, 1000.0)]
    history.publishes.append(replace(publish(5, None, Outcome.PENDING), invoked_s=25.0, done_s=INF))
    history.limited = {"orders"}
    assert broken(history) == set()


def test_nobody_waits_for_a_commit_whose_reader_was_killed(history: History) -> None:
    history.up = [(0.0, 1000.0)]
    history.commits.append(Commit("g1", "g", LOG, 5, 28.0))
    assert broken(history) == set()
    history.commits[-1].done_s = 100.0
    assert broken(history) == {"stuck"}
