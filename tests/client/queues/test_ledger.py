"""Without I/O; the shells' tests show it at work."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tapemq.errors import ConnectionLost, Error, LeaseLost, Overloaded
from tapemq.network.exchange import Reply
from tapemq.queues.lease import Lease
from tapemq.queues.ledger import _AGAIN_S as AGAIN_S
from tapemq.queues.ledger import GATHER_S, Ledger
from tapemq.queues.verdict import ACK, RELEASE
from tapemq.wire import messages as m
from tapemq.wire.entries import Tokens, pack_runs, unpack_tokens
from tests.support import queueing


class Standing:
    """Time that stands, what is to be called, and a road that is closed."""

    connection: Any = None

    def __init__(self) -> None:
        self.soon: list[Callable[..., object]] = []
        self.later: list[float] = []
        self.now = 0.0
        self.timer: Callable[..., object] | None = None

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., object]) -> Any:
        self.soon.append(callback)

    def call_later(self, delay_s: float, callback: Callable[..., object]) -> Any:
        self.later.append(delay_s)
        self.timer = callback
        return SimpleNamespace(cancel=lambda: None)


class OpenRoad(Standing):
    """A connection that notes what is said, until it breaks."""

    is_open = True

    def __init__(self) -> None:
        super().__init__()
        self.connection = self
        self.said: list[Tokens] = []
        self.answers: list[Callable[[Any], object]] = []
        self.pushed: list[Any] = []
        self.breaks_at = 99

    def send(self, message: Any, answer: Callable[[Any], object], payload: bytes) -> None:
        if len(self.answers) == self.breaks_at:
            self.is_open = False
            raise ConnectionLost("it broke")
        self.said += unpack_tokens(payload)
        self.answers.append(answer)

    def push(self, message: Any, payload: bytes = b"") -> None:
        self.pushed.append(message)


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


def open_book(road: OpenRoad) -> Book:
    intake = queueing.intake((3, 1000))
    made = Book(road, road, intake, "t", lambda _: None)
    queueing.lease(intake, [(0, 3)], [(0, 3)])
    return made


BUSY = Overloaded("busy", retry_after=2.0)
SETTLED = Reply(m.Settled(0), b"")


def test_what_an_overloaded_broker_refuses_is_said_again_with_all_that_came_meanwhile() -> None:
    road = OpenRoad()
    book = open_book(road)
    told: list[Error | None] = []
    book._settle_for(ACK, lease_of(book), range(1), told.append)
    book.flush()
    road.answers[0](BUSY)
    assert (road.later[-1], told) == (2.0, [])
    resume = road.timer
    book.settle(ACK, lease_of(book), 1)
    book.settle(RELEASE, lease_of(book), 2)
    book.flush()
    assert len(road.said) == 1
    assert len(road.pushed) == 1, "no credit is granted for what is still held"
    assert resume is not None
    resume()
    assert sorted(tokens.first_offset for tokens in road.said) == [0, 0, 1, 2]
    assert len(road.pushed) == 3
    for answer in road.answers[1:]:
        answer(SETTLED)
    assert (told, book._unanswered, book.lost) == ([None], 0, 0)


def test_what_is_refused_again_and_again_is_said_again_and_again() -> None:
    road = OpenRoad()
    book = open_book(road)
    book.settle_all(ACK, lease_of(book), range(3))
    book.flush()
    for number in range(3):
        road.answers[number](Overloaded("busy"))
        assert road.timer is not None
        road.timer()
    assert [tokens.records for tokens in road.said] == [3] * 4
    assert road.later[-3:] == [AGAIN_S] * 3
    assert book._unanswered == 1


def test_what_was_refused_is_lost_when_the_subscription_is() -> None:
    """As by a broker that stops, which says no more than that it is overloaded."""
    road = OpenRoad()
    book = open_book(road)
    told: list[Error | None] = []
    book._settle_for(ACK, lease_of(book), range(1), told.append)
    book.flush()
    book.settle(ACK, lease_of(book), 1)
    book._settle_for(RELEASE, lease_of(book), range(2, 3), told.append)
    road.answers[0](BUSY)
    book.cut_off()
    assert [type(error) for error in told] == [LeaseLost, LeaseLost]
    assert (book._unanswered, book._resting) == (0, None)


def test_a_refusal_that_comes_when_the_subscription_is_gone_is_the_end_of_it() -> None:
    road = OpenRoad()
    book = open_book(road)
    told: list[Error | None] = []
    book._settle_for(ACK, lease_of(book), range(1), told.append)
    book.flush()
    book.cut_off()
    road.answers[0](BUSY)
    assert [type(error) for error in told] == [LeaseLost]
    assert (book._unanswered, road.timer) == (0, None)


@pytest.mark.parametrize("breaks_at", [2, 3])
def test_a_connection_that_breaks_while_it_is_said_again_loses_what_was_not(breaks_at: int) -> None:
    road = OpenRoad()
    book = open_book(road)
    told: list[Error | None] = []
    for offset in range(2):
        book._settle_for(ACK, lease_of(book), range(offset, offset + 1), told.append)
        book.flush()
    for answer in list(road.answers):
        answer(BUSY)
    road.breaks_at = breaks_at
    assert road.timer is not None
    road.timer()
    for answer in road.answers[2:]:
        answer(ConnectionLost("it broke"))
    book.cut_off()
    assert (len(told), book._unanswered) == (2, 0)
