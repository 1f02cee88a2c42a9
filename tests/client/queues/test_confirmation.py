import pytest

import tapemq
from tapemq.errors import ConnectionLost, Error
from tapemq.network.exchange import Reply
from tapemq.queues.confirmation import Confirmation, Waiter, lease_lost
from tapemq.wire import messages as m
from tapemq.wire.entries import pack_tokens
from tapemq.wire.errors import ProtocolError

Told = list[Error | None]


def waiter(lease_id: int, first: int, upto: int) -> tuple[Waiter, Told]:
    told: Told = []
    return Waiter(lease_id, first, upto, told.append), told


def settled(*lost: tuple[int, int, int]) -> Reply:
    return Reply(m.Settled(len(lost)), pack_tokens(lost))


def test_all_is_confirmed_with_the_last_frame() -> None:
    one, told = waiter(7, 3, 4)
    confirmation = Confirmation(2, [one])
    assert confirmation.answered(settled()) == 0
    assert told == []
    assert confirmation.answered(settled()) == 0
    assert told == [None]


def test_who_lost_a_message_is_told_at_once_and_once() -> None:
    lost, lost_told = waiter(7, 3, 6)
    kept, kept_told = waiter(7, 6, 7)
    other, other_told = waiter(8, 3, 6)
    below, below_told = waiter(7, 4, 5)
    confirmation = Confirmation(2, [lost, kept, other, below])
    assert confirmation.answered(settled((7, 5, 1), (9, 0, 100))) == 101
    assert [type(error) for error in lost_told] == [tapemq.LeaseLost]
    assert (kept_told, other_told, below_told) == ([], [], [])
    confirmation.answered(settled())
    assert (len(lost_told), kept_told, other_told, below_told) == (1, [None], [None], [None])


def test_without_an_answer_nobody_knows() -> None:
    one, told = waiter(7, 3, 4)
    confirmation = Confirmation(2, [one])
    confirmation.answered(settled())
    assert confirmation.answered(ConnectionLost("cut")) == 0
    (error,) = told
    assert isinstance(error, tapemq.IndeterminateError)
    assert "cut" in str(error)
    confirmation.answered(ConnectionLost("cut"))
    assert len(told) == 1


@pytest.mark.parametrize(
    ("frames", "error"), [(1, tapemq.LeaseLost), (2, tapemq.IndeterminateError)]
)
def test_a_broker_that_stops_takes_the_lease_with_it(frames: int, error: type[Error]) -> None:
    """Nobody is told of an overload: it is over when the connection is. (Simulation, seed 698.)"""
    one, told = waiter(7, 3, 4)
    Confirmation(frames, [one]).answered(tapemq.Overloaded("the broker is stopping"))
    assert [type(found) for found in told] == [error]


def test_refusal_is_passed_on() -> None:
    one, told = waiter(7, 3, 4)
    refused = tapemq.RequestRefused("no such subscription")
    Confirmation(1, [one]).answered(refused)
    assert told == [refused]


def test_bad_payload_breaks_the_protocol() -> None:
    with pytest.raises(ProtocolError):
        Confirmation(1, []).answered(Reply(m.Settled(1), b"x"))


def test_error_names_the_offset() -> None:
    assert "offset 42" in str(lease_lost(42))
