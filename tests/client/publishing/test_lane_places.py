"""What a lane does once the broker does not know its place, and when a batch is full."""

import pytest

from tapemq.batch import decode_prefix
from tapemq.publishing.item import RECORD_COST_BYTES, Item
from tapemq.publishing.lane import Lane, LaneOptions, SentBatch


def lane(batch_bytes: int = 1000, linger_s: float = 0.0) -> Lane:
    return Lane(3, 77, 0, LaneOptions(batch_bytes, linger_s))


def fill(target: Lane, *values: bytes) -> None:
    for value in values:
        target.add(Item(value, None, b""), 0, 0.0)


def take(target: Lane) -> SentBatch:
    assert target.next_bytes(0.0) is not None
    return target.take(time_us=9)


def take_each(target: Lane, *values: bytes) -> list[SentBatch]:
    """Send each value as a batch of its own."""
    sent = []
    for value in values:
        fill(target, value)
        target.close_open()
        sent.append(take(target))
    return sent


def place(sent: SentBatch) -> tuple[int, int]:
    prefix = decode_prefix(b"".join(sent.parts))
    return prefix.producer_epoch, prefix.first_sequence


def test_a_place_that_was_lost_once_is_kept_when_an_answer_is_lost_later() -> None:
    """A new epoch would make the broker take what it has already."""
    target = lane()
    (a,) = take_each(target, b"a")
    target.refused(a, 9)
    target.lose_place(9)
    assert place(take(target)) == (1, 0)
    target.refused(a, 9, uncertain=True)
    assert place(take(target)) == (1, 0)
    assert a.uncertain


def test_nothing_more_is_sent_in_the_old_place() -> None:
    target = lane()
    a, b = take_each(target, b"a", b"b")
    fill(target, b"c")
    target.close_open()
    target.lose_place(9)
    assert target.next_bytes(0.0) is None
    target.confirmed(a, 9)
    assert target.next_bytes(0.0) is None
    target.refused(b, 9)
    assert [place(take(target)), place(take(target))] == [(1, 0), (1, 1)]


def test_nothing_is_left_to_be_sent_of_what_was_given_up() -> None:
    target = lane()
    (a,) = take_each(target, b"a")
    target.refused(a, 9)
    target.fail(RuntimeError(), RuntimeError())
    assert target.next_bytes(0.0) is None


def test_a_batch_that_was_closed_takes_no_more() -> None:
    target = lane()
    fill(target, b"a")
    batch = target.open
    assert batch is not None
    target.close_open()
    assert batch.extend([b"b"]) == 0


@pytest.mark.parametrize(("spare_bytes", "leaves"), [(0, True), (1, False)])
def test_a_batch_that_takes_no_more_does_not_linger(spare_bytes: int, leaves: bool) -> None:
    target = lane(10 + RECORD_COST_BYTES + spare_bytes, linger_s=5.0)
    fill(target, b"a" * 10)
    assert (target.next_bytes(0.0) is not None) is leaves


def test_options_that_change_hold_from_the_next_record_on() -> None:
    target = lane()
    fill(target, b"a")
    target.change_options(LaneOptions(500))
    fill(target, b"b")
    assert target.open is not None
    assert target.open.values == [b"b"]
    assert target.open.full_bytes == 500
    assert take(target).record_count == 1
