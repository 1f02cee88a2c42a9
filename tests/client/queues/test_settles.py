from tapemq.queues.lease import Lease
from tapemq.queues.settles import Settlement, Settles, chunks
from tapemq.queues.verdict import ACK, nack
from tapemq.wire import messages as m
from tapemq.wire.entries import Run, Tokens, unpack_tokens
from tapemq.wire.limits import TOKENS_MAX


def lease(lease_id: int, records: int = 10) -> Lease:
    return Lease(m.Leased(1, 0, lease_id, b"", 30_000), [Run(0, records)], 0, 0.0)


def entries(settlement: Settlement) -> list[Tokens]:
    return [entry for payload in settlement.payloads() for entry in unpack_tokens(payload)]


def test_what_was_settled_alike_goes_together() -> None:
    settles, one, two = Settles(), lease(1), lease(2)
    for offset in (2, 0, 1):
        settles.add(ACK, one, offset)
    settles.add_all(ACK, two, [4, 6])
    for offset in (7, 8):
        settles.add(nack(0), one, offset)
    settles.add(nack(1), one, 9)
    taken = {settlement.request(5): entries(settlement) for settlement in settles.take()}
    assert list(taken.items()) == [
        (m.Settle(5, "nack", by_policy=False), [Tokens(1, 7, 2)]),
        (m.Settle(5, "nack", by_policy=False, delay_ms=1000), [Tokens(1, 9, 1)]),
        (m.Settle(5, "ack"), [Tokens(1, 0, 3), Tokens(2, 4, 1), Tokens(2, 6, 1)]),
    ]


def test_taking_leaves_nothing() -> None:
    settles = Settles()
    assert settles.take() == []
    settles.add(ACK, lease(1), 0)
    settles.add(nack(), lease(1), 1)
    assert sum(settlement.records for settlement in settles.take()) == 2
    assert settles.take() == []


def test_more_entries_than_fit_into_a_frame_take_more_frames() -> None:
    settles, one = Settles(), lease(1)
    settles.add_all(ACK, one, range(0, 2 * (TOKENS_MAX + 1), 2))
    (settlement,) = settles.take()
    sizes = [len(unpack_tokens(payload)) for payload in settlement.payloads()]
    assert sizes == [TOKENS_MAX, 1]
    assert list(chunks([])) == []
