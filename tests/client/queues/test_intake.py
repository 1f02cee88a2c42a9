from typing import Any

import pytest

from tapemq.batch import BatchError
from tapemq.queues.intake import QueueIntake
from tapemq.queues.lease import Lease
from tapemq.queues.verdict import ACK
from tapemq.wire import messages as m
from tapemq.wire.entries import Tokens, pack_runs, unpack_tokens
from tapemq.wire.errors import ProtocolError
from tests.support.queueing import intake, lease


def take(source: QueueIntake, count: int = 9999) -> list[Any]:
    """The next messages."""
    taken: list[Any] = []
    while len(taken) < count and (hand := source.next_hand()) is not None:
        for message in hand.messages:
            taken.append(message)
            if len(taken) == count:
                break
    return taken


def offsets(source: QueueIntake, count: int = 9999) -> list[int]:
    taken = take(source, count)
    assert all(message.value == b"%d" % message.offset for message in taken)
    return [message.offset for message in taken]


def settle(source: QueueIntake, message: Any) -> None:
    message._lease.held.remove(message.offset)
    source.settles.add(ACK, message._lease, message.offset)


def said(source: QueueIntake) -> dict[str, list[Tokens]]:
    """What would be sent: tokens by verb."""
    return {
        settlement.verdict.verb: [
            entry for payload in settlement.payloads() for entry in unpack_tokens(payload)
        ]
        for settlement in source.take_settlements()
    }


def only_lease(source: QueueIntake) -> Lease:
    (one,) = source.leases
    return one


# What is handed out


@pytest.mark.parametrize(
    ("runs", "batches", "expected"),
    [
        ([(0, 3)], [(0, 3)], [0, 1, 2]),
        ([(1, 1)], [(0, 3)], [1]),
        ([(0, 1), (2, 1)], [(0, 3)], [0, 2]),
        ([(2, 4)], [(0, 3), (3, 5)], [2, 3, 4, 5]),
        ([(1, 1), (4, 1), (6, 9)], [(0, 3), (3, 4), (7, 1), (8, 7)], [1, 4, *range(6, 15)]),
        ([(5, 1)], [(5, 1)], [5]),
        ([(0, 1300)], [(0, 1300)], list(range(1300))),
        ([(510, 4)], [(0, 1300)], [510, 511, 512, 513]),
    ],
    ids=["whole", "head-less", "holes", "two", "some", "lonely", "long", "across"],
)
def test_only_leased_records_are_handed_out(
    runs: list[tuple[int, int]], batches: list[tuple[int, int]], expected: list[int]
) -> None:
    source = intake()
    lease(source, runs, batches)
    assert offsets(source) == expected
    assert only_lease(source).held == set(expected)


def test_leases_come_in_the_order_of_arrival() -> None:
    source = intake()
    lease(source, [(5, 1)], [(5, 1)], 1)
    lease(source, [(0, 2)], [(0, 2)], 2)
    assert offsets(source) == [5, 0, 1]
    assert source.next_hand() is None


@pytest.mark.parametrize(
    ("runs", "batches"),
    [
        ([(0, 4)], [(0, 3)]),
        ([(0, 4)], [(1, 3)]),
        ([(2, 2)], [(0, 3), (5, 1)]),
        ([(0, 1), (9, 1)], [(0, 3)]),
    ],
    ids=str,
)
def test_leased_record_that_did_not_come_is_an_error(
    runs: list[tuple[int, int]], batches: list[tuple[int, int]]
) -> None:
    source = intake()
    lease(source, runs, batches)
    with pytest.raises(BatchError, match="did not come"):
        offsets(source)


def test_damaged_batch_is_an_error() -> None:
    source = intake()
    lease(source, [(0, 3)], [(0, 3)])
    delivery = source._inbox.popleft()
    source._inbox.append(delivery._replace(payload=delivery.payload[:-1] + b"!"))
    with pytest.raises(BatchError):
        offsets(source)
    assert said(source) == {"release": [Tokens(7, 0, 3)]}
    assert not len(source.leases)


def test_runs_that_are_none_break_the_protocol() -> None:
    message = m.Leased(1, 0, 7, pack_runs([(5, 1), (3, 1)]), 30_000)
    with pytest.raises(ProtocolError):
        intake().leased(message, memoryview(b""), 0.0)


# What has started


def test_started_is_what_was_handed_out_and_is_not_settled() -> None:
    source = intake()
    lease(source, [(0, 5)], [(0, 5)])
    messages = take(source, 3)
    settle(source, messages[1])
    assert source.take_started() == [Tokens(7, 0, 1), Tokens(7, 2, 1)]
    assert source.take_started() == []
    take(source, 1)
    assert source.take_started() == [Tokens(7, 3, 1)]


def test_started_includes_what_is_behind() -> None:
    source = intake()
    lease(source, [(0, 2)], [(0, 2)], 1)
    lease(source, [(2, 2)], [(2, 2)], 2)
    assert offsets(source, 3) == [0, 1, 2]
    assert source.take_started() == [Tokens(1, 0, 2), Tokens(2, 2, 1)]


# What is settled


def test_credit_is_granted_as_messages_are_settled() -> None:
    source = intake((8, 100_000))
    lease(source, [(0, 4)], [(0, 4)])
    size_bytes = only_lease(source).size_bytes
    messages = take(source)
    settle(source, messages[0])
    assert said(source) == {"ack": [Tokens(7, 0, 1)]}
    assert not source.grants
    settle(source, messages[3])
    said(source)
    (grant,) = source.grants
    assert (grant.subscription, grant.records) == (1, 2)
    source.grants.clear()
    for message in messages[1:3]:
        settle(source, message)
    said(source)
    assert grant.bytes + source.grants[0].bytes == size_bytes
    assert len(source.leases) == 0


def test_what_is_withdrawn_is_released_and_not_handed_out() -> None:
    source = intake()
    lease(source, [(0, 4)], [(0, 4)], 1)
    lease(source, [(4, 2)], [(4, 2)], 2)
    messages = take(source, 2)
    source.withdraw()
    assert said(source) == {"release": [Tokens(1, 2, 2), Tokens(2, 4, 2)]}
    assert source.next_hand() is None
    assert [message.settled for message in messages] == [False, False]


def test_what_is_stopped_stays_held() -> None:
    source = intake()
    lease(source, [(0, 4)], [(0, 4)], 1)
    lease(source, [(4, 2)], [(4, 2)], 2)
    hand = source.next_hand()
    assert hand is not None
    assert next(hand.messages).offset == 0
    source.stop()
    assert list(hand.messages) == []
    assert source.next_hand() is None
    assert said(source) == {}
    assert sum(len(one.held) for one in source.leases) == 6


# What is lost


def test_lost_lease_is_not_handed_out_any_more() -> None:
    source = intake((4, 100_000))
    lease(source, [(0, 3)], [(0, 3)], 1)
    lease(source, [(3, 3)], [(3, 3)], 2)
    assert offsets(source, 1) == [0]
    assert source.lose([Tokens(1, 0, 3), Tokens(2, 3, 3)]) == 6
    assert source.next_hand() is None
    assert sum(grant.records for grant in source.grants) == 6
    assert said(source) == {}


@pytest.mark.parametrize("runs", [[(0, 1), (2, 1), (4, 1)], [(0, 1300)]], ids=["holes", "long"])
def test_no_part_of_a_lost_lease_is_handed_out(runs: list[tuple[int, int]]) -> None:
    source = intake()
    lease(source, runs, [(0, 1300)], 1)
    lease(source, [(1300, 1)], [(1300, 1)], 2)
    assert offsets(source, 1) == [0]
    source.lose([Tokens(1, first, records) for first, records in runs])
    assert offsets(source) == [1300]


def test_what_is_given_back_of_a_lease_is_not_handed_out() -> None:
    source = intake()
    lease(source, [(0, 2), (3, 2), (6, 2)], [(0, 8)])
    (first,) = take(source, 1)
    source.lose([Tokens(7, 7, 1)])
    assert said(source) == {"release": [Tokens(7, 1, 1), Tokens(7, 3, 2), Tokens(7, 6, 1)]}
    assert source.next_hand() is None
    assert not first.settled


def test_what_is_left_of_a_lease_of_which_some_was_lost_is_given_back() -> None:
    source = intake()
    lease(source, [(0, 4)], [(0, 4)])
    messages = take(source, 2)
    assert source.lose([Tokens(7, 2, 1)]) == 1
    assert said(source) == {"release": [Tokens(7, 3, 1)]}
    assert [message.lease_lost for message in messages] == [False, False]
    assert source.next_hand() is None


def test_all_is_lost_with_the_subscription() -> None:
    source = intake((4, 100_000))
    lease(source, [(0, 4)], [(0, 4)], 1)
    lease(source, [(4, 4)], [(4, 4)], 2)
    messages = take(source, 3)
    settle(source, messages[0])
    source.lose([Tokens(2, 4, 4)])
    assert source.cut_off() == 1  # its ack was not sent
    assert [message.lease_lost for message in messages] == [False, True, True]
    assert source.next_hand() is None
    assert source.take_started() == []
    assert not source.grants
    assert said(source) == {}
