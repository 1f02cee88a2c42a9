"""Which held publishes are given up, and what is counted for them."""

from collections import deque
from typing import Any

from tapemq.wire import messages as m
from tapemq_broker.core.effects import Request
from tapemq_broker.server.connection import Held
from tapemq_broker.server.held_publishes import HeldPublishes
from tapemq_broker.server.unanswered import LARGE, Unanswered


class Holder:
    """Of a connection what is needed here."""

    def __init__(self) -> None:
        self.held: deque[Held] = deque()


class Setup:
    """One connection, and publishes by their correlations."""

    def __init__(self) -> None:
        self.unanswered = Unanswered(lambda session, is_crowded: None)
        self.held = HeldPublishes(self.unanswered)
        self.connection: Any = Holder()

    def add(self, *deadlines: float | None) -> list[bool]:
        first = len(self.connection.held)
        return [
            self.held.add(
                self.connection, Held(m.Publish(1, 0, 0), Request(7, first + index, at), b"body")
            )
            for index, at in enumerate(deadlines)
        ]

    def expired(self, now: float) -> list[int]:
        return [request.correlation for request in self.held.expired(now)]

    def count(self) -> int:
        return self.unanswered._counts.get(7, 0)


def test_the_first_needs_somebody_who_works_on_it() -> None:
    setup = Setup()
    assert setup.add(None, 1.0, None) == [True, False, False]
    for _ in range(3):
        setup.held.let_go(setup.connection)
    assert setup.add(None) == [True]


def test_late_ones_go_but_for_the_first_which_keeps_nothing_but_its_place() -> None:
    setup = Setup()
    setup.add(5.0, None, 6.0, 5.0)
    assert setup.expired(4.9) == []
    assert setup.expired(5.0) == [0, 3]
    held = [(one.request.correlation, one.is_late, one.body) for one in setup.connection.held]
    assert held == [(0, True, b""), (1, False, b"body"), (2, False, b"body")]
    assert setup.expired(5.0) == []
    assert setup.expired(6.0) == [2]
    assert setup.expired(99.0) == []


def test_each_is_counted_until_it_is_late_or_let_go() -> None:
    setup = Setup()
    setup.add(5.0, None, 5.0)
    assert setup.count() == 3 * LARGE
    assert setup.unanswered._in_all == 0  # of those that outlive their session
    setup.expired(5.0)
    assert setup.count() == LARGE
    assert setup.held.let_go(setup.connection).is_late
    assert setup.count() == LARGE
    assert not setup.held.let_go(setup.connection).is_late
    assert setup.count() == 0
    assert setup.unanswered._in_all == 0


def test_the_timer_looks_at_those_only_that_hold_one_with_a_deadline() -> None:
    setup = Setup()
    setup.add(None)
    assert not setup.held._soonest
    setup.add(5.0, 3.0, 8.0)
    assert setup.held._soonest == {setup.connection: 3.0}
    setup.expired(6.0)
    assert setup.held._soonest == {setup.connection: 8.0}
    setup.expired(8.0)
    assert not setup.held._soonest
    setup.add(9.0)
    setup.connection.held.clear()  # as when it is lost
    setup.expired(0.0)
    assert not setup.held._soonest


def test_a_deadline_of_one_that_was_let_go_ends_no_other() -> None:
    setup = Setup()
    setup.add(5.0, 6.0)
    setup.held.let_go(setup.connection)
    assert setup.expired(5.0) == []
    assert setup.expired(6.0) == [1]
