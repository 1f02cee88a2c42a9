"""The rule of seeks against histories that are wrong on purpose."""

import pytest

from tests.support.simulation.checker import check
from tests.support.simulation.group_rules import seek_forgotten
from tests.support.simulation.history import (
    Delivery,
    History,
    LogName,
    Place,
    Position,
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
