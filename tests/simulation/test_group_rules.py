"""The rules of seeks and of claims against histories that are wrong on purpose."""

import pytest

from tests.support.simulation.checker import check
from tests.support.simulation.group_rules import contended, redelivered, seek_forgotten
from tests.support.simulation.history import (
    Commit,
    Delivery,
    History,
    LogName,
    Outcome,
    Place,
    Position,
    Publish,
    Reader,
    Seek,
)

LOG = LogName("orders", 0)


@pytest.fixture
def history() -> History:
    """A group reads three records, is sought to the second, and reads it and the third again."""
    offsets = [(0, 1.0), (1, 2.0), (2, 3.0), (1, 7.0), (2, 8.0)]
    return History(
        deliveries=[
            Delivery("r", Place("orders", 0, offset), b"v%d" % offset, at_s)
            for offset, at_s in offsets
        ],
        readers={"r": Reader("r", "orders", "g", True, 0.0)},
        seeks=[Seek("g", LOG, 1, 5.0, 6.0, made=True)],
        positions=[Position("g", LOG, 3, 9.0, 10.0)],
        final={LOG: {offset: b"v%d" % offset for offset in range(3)}},
    )


def broken(history: History) -> set[str]:
    return set(check(history, seek_forgotten))


def test_seek_that_was_made(history: History) -> None:
    assert broken(history) == set()


def test_records_do_not_come_again(history: History) -> None:
    del history.deliveries[-2]
    assert broken(history) == {"seek_forgotten"}
    history.first_offsets[LOG] = 2
    assert broken(history) == set()


def test_position_is_in_front_of_where_it_was_sought_to(history: History) -> None:
    history.positions[0] = history.positions[0]._replace(offset=0)
    assert broken(history) == {"seek_forgotten"}
    history.positions[0] = history.positions[0]._replace(invoked_s=5.5)
    assert broken(history) == set()


@pytest.mark.parametrize(
    "other", [Seek("g", LOG, 2, 5.5, 7.0), Seek("g", LOG, 2, 1.0, float("inf"), made=False)]
)
def test_seek_that_another_one_may_have_undone(history: History, other: Seek) -> None:
    del history.deliveries[-2]
    history.seeks.append(other)
    assert broken(history) == set()


def test_seek_that_was_not_confirmed(history: History) -> None:
    del history.deliveries[-2]
    history.seeks[0] = history.seeks[0]._replace(made=False)
    assert broken(history) == set()


def test_seek_beyond_what_is_on_disk_goes_no_further_than_that(history: History) -> None:
    history.seeks[0] = history.seeks[0]._replace(offset=5)
    assert broken(history) == set()
    history.deliveries.append(Delivery("r", Place("orders", 0, 3), b"v3", 4.0))
    assert broken(history) == {"seek_forgotten"}


def handed(reader: str, offset: int, at_s: float, generation: int) -> Delivery:
    return Delivery(reader, Place("orders", 0, offset), b"v%d" % offset, at_s, generation)


@pytest.fixture
def shared() -> History:
    """A member is handed two records; then another one has its partition, and a third record
    comes. The first member still hands out the second one, which it had in its memory."""
    return History(
        publishes=[
            Publish("p", offset, "orders", b"v%d" % offset, at_s)
            for offset, at_s in enumerate((0.0, 0.0, 5.0))
        ],
        deliveries=[
            *(handed("a", 0, 1.0, 7), handed("b", 0, 4.0, 8)),
            *(handed("a", 1, 6.0, 7), handed("b", 1, 6.0, 8), handed("b", 2, 6.0, 8)),
        ],
        readers={name: Reader(name, "orders", "g", True, 0.0) for name in ("a", "b")},
    )


def test_member_hands_out_what_it_had_before_it_lost_the_partition(shared: History) -> None:
    assert set(check(shared, contended)) == set()


def test_member_reads_on_that_has_lost_the_partition(shared: History) -> None:
    shared.deliveries.append(handed("a", 2, 7.0, 7))
    assert set(check(shared, contended)) == {"contended"}
    shared.deliveries[-1] = handed("a", 2, 7.0, 9)
    assert set(check(shared, contended)) == set()


def test_two_members_have_one_claim(shared: History) -> None:
    shared.deliveries.append(handed("a", 2, 7.0, 8))
    assert set(check(shared, contended)) == {"contended"}
    shared.readers["a"].group = "other"
    assert set(check(shared, contended)) == set()


def test_later_claim_begins_behind_what_was_committed(shared: History) -> None:
    commit = Commit("a", "g", LOG, 1, 1.0, 3.0, Outcome.OK)
    shared.commits = [commit]
    assert set(check(shared, redelivered)) == set()  # nobody knows of which claim it was
    commit.generation = 8
    assert set(check(shared, redelivered)) == set()
    commit.generation = 7
    assert set(check(shared, redelivered)) == {"redelivered"}
    shared.seeks = [Seek("g", LOG, 0, 3.5, 3.6)]
    assert set(check(shared, redelivered)) == set()
