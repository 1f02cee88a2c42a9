from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch import Codec, checksum, decode_prefix
from tapemq.publishing.item import Item
from tapemq.publishing.lane import Lane, LaneOptions, SentBatch
from tapemq.wire import messages as m
from tests.support.fake_broker import FakePartition
from tests.support.fake_broker.topic import Refused
from tests.support.lanes import (
    Waiting,
    body,
    fill,
    first_sequence,
    lane,
    take,
    take_each,
    values,
)

# When a batch leaves


def test_partial_batch_leaves_when_nothing_is_in_flight() -> None:
    target = lane()
    fill(target, b"a", b"b")
    assert values(take(target)) == [b"a", b"b"]
    assert take(target) is None


def test_partial_batch_waits_for_the_flight_to_return() -> None:
    target = lane()
    fill(target, b"a")
    flight = take(target)
    fill(target, b"b", b"c")
    assert take(target) is None
    assert flight is not None
    target.confirmed(flight, 9)
    assert values(take(target)) == [b"b", b"c"]


def test_full_batch_leaves_whatever_is_in_flight() -> None:
    target = lane(batch_bytes=50)
    fill(target, b"a" * 20, b"b" * 20, b"c" * 20)
    assert values(take(target)) == [b"a" * 20]
    assert values(take(target)) == [b"b" * 20]
    assert take(target) is None


def test_partial_batch_lingers() -> None:
    target = lane(linger_s=0.5)
    fill(target, b"a", now=10.0)
    assert take(target, now=10.4) is None
    fill(target, b"b", now=10.4)
    assert values(take(target, now=10.5)) == [b"a", b"b"]


def test_closed_batch_leaves_before_its_time() -> None:
    target = lane(linger_s=100.0)
    fill(target, b"a")
    target.close_open()
    assert values(take(target)) == [b"a"]


def test_no_more_than_allowed_are_in_flight() -> None:
    target = lane(max_in_flight=2)
    first, _ = take_each(target, b"a", b"b")
    fill(target, b"c")
    target.close_open()
    assert take(target) is None
    target.confirmed(first, 9)
    assert values(take(target)) == [b"c"]


def test_record_larger_than_a_batch_has_one_of_its_own() -> None:
    target = lane(batch_bytes=50)
    fill(target, b"a", b"b" * 100, b"c")
    assert [values(take(target)) for _ in range(2)] == [[b"a"], [b"b" * 100]]


def test_levels_do_not_share_a_batch() -> None:
    target = lane()
    fill(target, b"a", level=0)
    fill(target, b"b", level=1)
    first = take(target)
    assert values(first) == [b"a"]
    assert first is not None
    assert first.level == 0
    target.confirmed(first, 9)
    second = take(target)
    assert second is not None
    assert (values(second), second.level) == ([b"b"], 1)


def test_batch_whose_records_were_withdrawn_is_not_sent() -> None:
    target = lane()
    waiter = Waiting()
    target.add(Item(b"a", None, b""), 0, 0.0, waiter)
    target.close_open()
    assert waiter.batch is not None
    waiter.batch.discard(waiter)
    fill(target, b"b")
    sent = take(target)
    assert values(sent) == [b"b"]
    assert sent is not None
    assert first_sequence(sent) == 0


# What a batch says


def test_batches_are_numbered_by_their_records() -> None:
    target = lane()
    fill(target, b"a", b"b")
    target.close_open()
    first = take(target)
    second = take_each(target, b"c")[0]
    assert first is not None
    assert [first_sequence(first), first_sequence(second)] == [0, 2]
    prefix = decode_prefix(body(second))
    assert (prefix.producer_id, prefix.producer_epoch, prefix.producer_time_us) == (77, 0, 9)
    assert second.checksum == checksum(body(second))
    assert second.record_count == 1


def test_batches_are_compressed() -> None:
    target = Lane(0, 1, 0, LaneOptions(10_000, codec=Codec.ZLIB))
    fill(target, b"a" * 5000)
    sent = take(target)
    assert sent is not None
    assert len(body(sent)) < 500
    assert values(sent) == [b"a" * 5000]


def test_what_does_not_shrink_goes_as_it_is() -> None:
    target = Lane(0, 1, 0, LaneOptions(10_000, codec=Codec.ZLIB))
    noise = bytes(range(256))
    fill(target, noise)
    sent = take(target)
    assert sent is not None
    assert decode_prefix(body(sent)).codec is Codec.NONE
    assert values(sent) == [noise]


# Sending again


def test_refused_batches_go_again_in_order_once_all_are_answered() -> None:
    target = lane()
    a, b, c = take_each(target, b"a", b"b", b"c")
    fill(target, b"d")
    target.close_open()
    bodies = [body(a), body(b), body(c)]
    target.refused(a, 9)
    assert take(target) is None
    target.refused(c, 9)
    assert take(target) is None
    target.refused(b, 9)
    again = [target.take(9) for _ in range(3)]
    assert again == [a, b, c]
    assert [body(sent) for sent in again] == bodies
    assert values(take(target)) == [b"d"]


def test_confirmed_batches_do_not_go_again() -> None:
    target = lane()
    a, b, c = take_each(target, b"a", b"b", b"c")
    target.confirmed(b, 9)
    target.refused(a, 9)
    target.refused(c, 9)
    assert [take(target), take(target), take(target)] == [a, c, None]


def test_refusal_while_sending_again_starts_over() -> None:
    target = lane()
    a, b = take_each(target, b"a", b"b")
    target.refused(a, 9)
    target.refused(b, 9)
    assert take(target) is a
    target.refused(a, 9)
    assert [take(target), take(target)] == [a, b]


def test_lane_waits_until_it_may_resume() -> None:
    target = lane()
    (a,) = take_each(target, b"a")
    target.refused(a, 9)
    target.resume_at = 5.0
    assert take(target, now=4.9) is None
    assert take(target, now=5.0) is a


def test_lost_place_starts_a_new_epoch_with_the_unconfirmed() -> None:
    target = lane()
    a, b, c = take_each(target, b"a", b"b", b"c")
    target.confirmed(a, 9)
    target.refused(b, 9)
    target.refused(c, 9, uncertain=True)
    target.lose_place(9)
    again = [target.take(9), target.take(9), *take_each(target, b"d")]
    assert again[:2] == [b, c]
    prefixes = [decode_prefix(body(sent)) for sent in again]
    assert [(p.producer_epoch, p.first_sequence) for p in prefixes] == [(1, 0), (1, 1), (1, 2)]
    assert [values(sent) for sent in again] == [[b"b"], [b"c"], [b"d"]]
    assert [sent.checksum for sent in again] == [checksum(body(sent)) for sent in again]
    assert not c.uncertain


def test_lost_place_waits_for_all_answers() -> None:
    target = lane()
    a, b = take_each(target, b"a", b"b")
    target.refused(a, 9)
    target.lose_place(9)
    assert take(target) is None
    target.refused(b, 9)
    assert [take(target), take(target)] == [a, b]
    assert decode_prefix(body(b)).producer_epoch == 1


def test_unanswered_batch_is_uncertain() -> None:
    target = lane()
    a, b = take_each(target, b"a", b"b")
    target.refused(a, 9)
    target.refused(b, 9, uncertain=True)
    assert (a.uncertain, b.uncertain) == (False, True)


# Being done


def state(target: Lane) -> tuple[bool, float | None]:
    return target.idle, target.oldest_at


def test_lane_is_idle_when_all_is_confirmed() -> None:
    target = lane()
    assert state(target) == (True, None)
    fill(target, b"a", now=1.0)
    assert state(target) == (False, 1.0)
    target.close_open()
    assert state(target) == (False, 1.0)
    sent = target.take(9)
    assert state(target) == (False, 1.0)
    fill(target, b"b", now=3.0)
    assert state(target) == (False, 1.0)
    target.confirmed(sent, 9)
    assert state(target) == (False, 3.0)
    target.confirmed(target.take(9), 9)
    assert state(target) == (True, None)


def test_closed_batches_are_done_in_their_order() -> None:
    target = lane()
    a, b = take_each(target, b"a", b"b")
    fill(target, b"c")
    target.close_open()
    assert (target.closed, target.done) == (3, 0)
    target.confirmed(b, 9)
    assert target.done == 0
    target.confirmed(a, 9)
    assert (target.closed, target.done) == (3, 2)


class Model:
    """A lane and a partition with a connection between them that breaks."""

    def __init__(self) -> None:
        self.lane = lane(max_in_flight=3)
        self.partition = FakePartition(1, 0)
        self.wire: deque[SentBatch] = deque()
        self.answers: deque[tuple[SentBatch, m.Receipt | m.Failure]] = deque()
        self.offsets: dict[bytes, int] = {}
        self.added = 0

    def add(self) -> None:
        fill(self.lane, b"%d" % self.added)
        self.added += 1

    def close(self) -> None:
        self.lane.close_open()

    def send(self) -> None:
        sent = take(self.lane)
        if sent is not None:
            self.wire.append(sent)

    def serve(self) -> None:
        if self.wire:
            sent = self.wire.popleft()
            try:
                self.answers.append((sent, self.partition.publish(body(sent))))
            except Refused as refused:
                self.answers.append((sent, refused.failure))

    def refuse(self) -> None:
        if self.wire:
            self.answers.append((self.wire.popleft(), m.Failure(7, "overloaded")))

    def answer(self) -> None:
        if self.answers:
            sent, answer = self.answers.popleft()
            if isinstance(answer, m.Receipt):
                self.lane.confirmed(sent, 9)
                for offset, value in enumerate(values(sent), answer.base_offset):
                    assert value is not None
                    self.offsets[value] = offset
            else:
                self.lane.refused(sent, 9)

    def cut(self) -> None:
        """What is under way in either direction is lost; some of it was served."""
        lost = [*self.wire, *(sent for sent, _ in self.answers)]
        self.wire.clear()
        self.answers.clear()
        for sent in lost:
            self.lane.refused(sent, 9, uncertain=True)

    def lower(self) -> None:
        """The broker is started anew, and takes a record in a batch."""
        self.cut()
        self.lane.change_options(LaneOptions(20, 0.0, 3))

    def finish(self) -> None:
        self.close()
        while not self.lane.idle:
            self.send()
            self.serve()
            self.answer()


STEPS = ["add", "close", "send", "serve", "refuse", "answer", "cut", "lower"]


@given(st.lists(st.sampled_from(STEPS)))
def test_each_record_is_stored_once_and_in_order_whatever_happens(steps: list[str]) -> None:
    model = Model()
    for step in steps:
        getattr(model, step)()
    model.finish()
    assert model.partition.values == [b"%d" % number for number in range(model.added)]
    assert model.offsets == {b"%d" % number: number for number in range(model.added)}


@pytest.mark.parametrize("served", [0, 1, 2, 3])
def test_lost_receipts_are_answered_as_duplicates(served: int) -> None:
    model = Model()
    for _ in range(3):
        model.add()
        model.close()
        model.send()
    for _ in range(served):
        model.serve()
    model.cut()
    model.finish()
    assert model.partition.values == [b"0", b"1", b"2"]
