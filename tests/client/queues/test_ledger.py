"""Without I/O; the shells' tests show it at work."""

from collections.abc import Callable
from typing import Any

import pytest

from tapemq.errors import Error, LeaseLost
from tapemq.queues.lease import Lease
from tapemq.queues.ledger import GATHER_S, Ledger
from tapemq.queues.verdict import ACK, RELEASE
from tapemq.wire import messages as m
from tapemq.wire.entries import pack_runs
from tests.support import queueing


class Standing:
    """Time that stands, what is to be called, and a road that is closed."""

    connection = None

    def __init__(self) -> None:
        self.soon: list[Callable[..., object]] = []
        self.later: list[float] = []
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., object]) -> Any:
        self.soon.append(callback)

    def call_later(self, delay_s: float, callback: Callable[..., object]) -> Any:
        self.later.append(delay_s)


class Book(Ledger):
    progress = 0

    def _progressed(self) -> None:
        self.progress += 1


@pytest.fixture
def standing() -> Standing:
    return Standing()


@pytest.fixture
def book(standing: Standing) -> Book:
    intake = queueing.intake()
    made = Book(standing, standing, intake, "t", lambda _: None)
    queueing.lease(intake, [(0, 3)], [(0, 3)])
    return made


def lease_of(book: Book) -> Lease:
    (lease,) = book._intake.leases
    return lease


def test_what_was_said_just_now_is_gathered_for_a_while(book: Book, standing: Standing) -> None:
    standing.now = 1000.0
    book.settle(ACK, lease_of(book), 0)
    book.settle(ACK, lease_of(book), 1)
    assert (standing.soon, standing.later) == ([book.flush], [])
    book.flush()
    book.settle(RELEASE, lease_of(book), 2)
    assert standing.later == [pytest.approx(GATHER_S)]


def test_leases_are_renewed_as_often_as_the_shortest_needs(book: Book, standing: Standing) -> None:
    for lease_id, lease_ms in enumerate((30_000, 60_000, 3_000, 30_000)):
        book.leased(m.Leased(1, 0, lease_id, pack_runs([(9, 1)]), lease_ms), memoryview(b""))
    assert standing.later == [10.0, 1.0]


def test_too_late_is_counted(book: Book) -> None:
    lease = lease_of(book)
    book.settle(ACK, lease, 0)
    book.settle(ACK, lease, 0)
    assert book.lost == 1
    book.cut_off()
    assert book.lost == 2  # the ack that was not said
    book.settle_all(ACK, lease, range(3))
    assert book.lost == 4


def test_the_end_of_a_block_settles_what_was_not_settled_in_it(book: Book) -> None:
    lease = lease_of(book)
    book.processing = 2
    book.settle(RELEASE, lease, 0)
    book.finish(ACK, lease, 0)
    assert (book.lost, book.processing, book.progress) == (0, 1, 0)
    book.stop()
    book.finish(ACK, lease, 1)
    assert (book.processing, book.progress) == (0, 1)
    assert not lease.held  # the third was given back when it was stopped


def test_who_waits_for_what_was_settled_is_told_at_once(book: Book) -> None:
    lease = lease_of(book)
    told: list[Error | None] = []
    assert book._settle_for(ACK, lease, range(2), told.append)
    assert not book._settle_for(ACK, lease, range(2), told.append)
    with pytest.raises(LeaseLost):
        book._settle_for(ACK, lease, range(1), told.append)
    book.cut_off()
    assert [type(error) for error in told] == [LeaseLost]
