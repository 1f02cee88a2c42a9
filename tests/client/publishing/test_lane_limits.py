"""What a lane does with its batches when the broker is started anew with lower limits."""

from tapemq.batch import checksum, decode_columns, decode_prefix
from tapemq.publishing.item import Item
from tapemq.publishing.lane import Lane, LaneOptions, SentBatch
from tests.support.lanes import Waiting, body, fill, first_sequence, lane, take_each, values

SMALL = LaneOptions(batch_bytes=40, max_in_flight=2)
"""Room for two records of one byte."""


def refuse_all(target: Lane, *sent: SentBatch, uncertain: bool = False) -> None:
    for one in sent:
        target.refused(one, 9, uncertain=uncertain)


def test_what_was_not_sent_before_a_broker_took_less_goes_in_smaller_batches() -> None:
    target, waiting = lane(), [Waiting() for _ in range(5)]
    for number, waiter in enumerate(waiting):
        key = b"k" if number == 3 else None
        target.add(Item(b"%d" % number, key, b""), 0, 0.0, waiter)
    target.change_options(SMALL)
    assert (target.closed, target.done) == (1, -2)  # never too much
    assert waiting[4].batch is target.full[2]
    target.full[2].discard(waiting[4])  # who is cancelled
    first, second = target.take(9), target.take(9)
    assert target.next_bytes(0.0) is None  # no more in flight than before
    assert [values(first), values(second)] == [[b"0", b"1"], [b"2", b"3"]]
    assert decode_columns(body(second)).keys == [None, b"k"]
    assert [*first.waiters, *second.waiters] == waiting[:4]
    target.confirmed(first, 9)
    assert target.done < 1
    target.confirmed(second, 9)
    assert target.next_bytes(0.0) is None
    assert target.done == 1


def test_what_was_refused_before_a_broker_took_less_goes_in_smaller_batches() -> None:
    target = lane()
    fill(target, b"0", b"1", b"2", b"3", b"4", level=1)
    large = target.take(9)
    (small,) = take_each(target, b"5")
    refuse_all(target, large, small)
    target.change_options(SMALL)
    first, second = target.take(10), target.take(10)
    assert target.next_bytes(0.0) is None  # no more in flight than before
    target.confirmed(first, 9)
    third = target.take(10)
    target.confirmed(second, 9)
    assert target.take(10) is small
    parts = [first, second, third, small]
    assert [values(sent) for sent in parts] == [[b"0", b"1"], [b"2", b"3"], [b"4"], [b"5"]]
    assert [first_sequence(sent) for sent in parts] == [0, 2, 4, 5]
    assert [sent.level for sent in parts] == [1, 1, 1, 0]
    assert {decode_prefix(body(sent)).producer_time_us for sent in parts} == {9}
    assert all(sent.checksum == checksum(body(sent)) for sent in parts)


def test_what_may_be_in_the_log_stays_as_it_is() -> None:
    target = lane()
    fill(target, b"0", b"1", b"2")
    sent = target.take(9)
    refuse_all(target, sent, uncertain=True)
    target.change_options(SMALL)
    assert target.take(9) is sent
