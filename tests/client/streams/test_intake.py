from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch import BatchError, Kind, decode_header
from tapemq.streams.credit import Grant
from tapemq.wire import messages as m
from tests.support.intake_reading import SUBSCRIPTION, Reading

# Handing out


def test_records_are_handed_out_in_order() -> None:
    reading = Reading()
    reading.assign()
    for offset in (0, 3, 6):
        reading.deliver(offset)
    assert reading.take() == list(range(9))
    assert reading.intake.next_hand() is None


def test_records_before_the_start_are_skipped() -> None:
    reading = Reading()
    reading.assign(offset=4)
    reading.deliver(4)
    assert reading.take() == [4, 5]


def test_several_batches_may_come_together() -> None:
    reading = Reading()
    reading.assign()
    batches = reading.logs[0].batches[:3]
    payload = b"".join(stored.data for stored in batches)
    reading.intake.delivered(m.Deliver(1, 0, 1, 0, 9, 9), memoryview(payload))
    assert reading.take() == list(range(9))


def test_what_holds_no_data_is_skipped_and_passed() -> None:
    reading = Reading()
    assignment = reading.assign()
    header = decode_header(reading.logs[0].batches[0].data)
    mark = header._replace(kind=Kind.MARK, record_count=0, body_length=0, body_checksum=0)
    reading.intake.delivered(m.Deliver(1, 0, 1, 0, 5, 0), memoryview(mark.encode()[0]))
    assert reading.take() == []
    assert assignment.position == 5


def test_damaged_batch_is_not_handed_out() -> None:
    reading = Reading()
    reading.assign()
    data = bytearray(reading.logs[0].batches[0].data)
    data[-1] ^= 1
    reading.intake.delivered(m.Deliver(1, 0, 1, 0, 3, 3), memoryview(data))
    for _ in range(2):  # nor is it passed by when somebody asks again
        with pytest.raises(BatchError):
            reading.take()
    assert reading.position() == 0


def test_what_is_damaged_comes_again_with_the_next_connection() -> None:
    reading = Reading()
    reading.assign()
    data = bytearray(reading.logs[0].batches[0].data)
    data[-1] ^= 1
    reading.intake.delivered(m.Deliver(1, 0, 1, 0, 3, 3), memoryview(data))
    with pytest.raises(BatchError):
        reading.take()
    reading.intake.cut_off()
    reading.assign()
    reading.deliver(0)
    assert reading.take() == [0, 1, 2]


def test_payload_is_copied_because_its_buffer_is_used_again() -> None:
    reading = Reading()
    reading.assign()
    data = bytearray(reading.logs[0].batches[0].data)
    reading.intake.delivered(m.Deliver(1, 0, 1, 0, 3, 3), memoryview(data))
    data[:] = bytes(len(data))
    assert reading.take() == [0, 1, 2]


def test_delivery_of_an_older_generation_is_dropped_and_its_credit_returned() -> None:
    reading = Reading(window=Grant(8, 1_000_000))
    reading.assign()
    reading.assign()
    reading.deliver(0, generation=1)
    assert reading.take() == []
    assert reading.intake.grants == deque(
        [m.Credit(SUBSCRIPTION, 3, len(reading.logs[0].batches[0].data))]
    )


def test_delivery_of_an_unknown_partition_is_dropped() -> None:
    reading = Reading()
    reading.deliver(0, generation=0)
    assert reading.take() == []


def test_credit_is_returned_when_a_delivery_is_taken() -> None:
    reading = Reading(window=Grant(12, 1_000_000))
    reading.assign()
    reading.deliver(0)
    assert not reading.intake.grants
    reading.take(1)
    assert reading.intake.grants.popleft().records == 3


# What is handled


def test_record_is_handled_when_the_next_is_asked_for() -> None:
    reading = Reading()
    reading.assign()
    reading.deliver(0)
    reading.deliver(3)
    assert reading.handled() == 0
    reading.take(1)
    assert (reading.handled(), reading.position()) == (0, 1)
    reading.take(1)
    assert (reading.handled(), reading.position()) == (1, 2)
    reading.take(2)
    assert (reading.handled(), reading.position()) == (3, 4)
    reading.intake.next_hand()
    assert (reading.handled(), reading.position()) == (4, 4)


def test_last_record_is_handled_when_the_next_is_asked_for() -> None:
    reading = Reading()
    reading.assign()
    reading.deliver(0)
    reading.take(3)
    assert reading.handled() == 2
    assert reading.intake.next_hand() is None
    assert reading.handled() == 3


def test_batch_is_handled_as_a_whole() -> None:
    reading = Reading()
    reading.assign()
    reading.deliver(0)
    hand = reading.intake.next_hand()
    assert hand is not None
    reading.intake.hold(len(hand.take_batch()))
    assert (reading.handled(), reading.position()) == (0, 3)
    reading.intake.next_hand()
    assert reading.handled() == 3


def test_what_is_handed_out_behind_a_commit_is_in_hand() -> None:
    reading = Reading()
    assignment = reading.assign()
    reading.deliver(0)
    hand = reading.intake.next_hand()
    assert hand is not None
    reading.intake.hold(1)
    next(hand.records)
    reading.intake.settle()
    assert (reading.handled(), reading.intake.releasable(assignment)) == (1, True)
    next(hand.records)
    assert (reading.handled(), reading.intake.releasable(assignment)) == (1, False)
    next(hand.records)
    assert reading.handled() == 2


def test_record_in_hand_counts_only_for_its_partition() -> None:
    reading = Reading(partitions=2)
    reading.assign(partition=0)
    reading.assign(partition=1)
    reading.deliver(0, 0, generation=1)
    reading.deliver(0, 1, generation=2)
    reading.take(4)
    assert [reading.handled(0), reading.handled(1)] == [3, 0]


# Losing the connection, or a partition


def test_reading_goes_on_behind_the_last_record_after_a_cut() -> None:
    reading = Reading()
    reading.assign()
    reading.deliver(0)
    reading.deliver(3)
    assert reading.take(4) == [0, 1, 2, 3]
    reading.intake.cut_off()
    assert reading.intake.next_hand() is None
    reading.assign(offset=0)
    for offset in (0, 3, 6):
        reading.deliver(offset)
    assert reading.take() == [4, 5, 6, 7, 8]


def test_record_in_hand_stays_unhandled_across_a_cut() -> None:
    reading = Reading()
    assignment = reading.assign()
    reading.deliver(0)
    reading.take(2)
    reading.intake.cut_off()
    assert not assignment.live
    assert reading.handled() == 1
    reading.assign(offset=0)
    assert (reading.handled(), reading.position()) == (1, 2)
    reading.intake.next_hand()
    assert reading.handled() == 2


def test_deliveries_before_the_new_assignment_are_dropped() -> None:
    reading = Reading()
    reading.assign()
    reading.intake.cut_off()
    reading.deliver(0)
    assert reading.take() == []


def test_seek_drops_what_is_buffered_and_in_hand() -> None:
    reading = Reading()
    reading.assign()
    reading.deliver(0)
    reading.deliver(3)
    reading.take(2)
    reading.assign(offset=6, seek_epoch=1)
    assert (reading.handled(), reading.position()) == (6, 6)
    reading.deliver(6)
    assert reading.take() == [6, 7, 8]


def test_revoked_partition_hands_nothing_out_but_keeps_the_record_in_hand() -> None:
    reading = Reading()
    assignment = reading.assign()
    reading.deliver(0)
    reading.deliver(3)
    reading.take(2)
    reading.intake.revoked(m.Revoke(1, 0, 1, 1000), now=100.0)
    assert assignment.release_by == pytest.approx(100.8)
    assert not reading.intake.releasable(assignment)
    assert reading.handled() == 1
    assert reading.take() == []
    assert reading.intake.releasable(assignment)
    assert reading.handled() == 2


def test_delivery_of_a_revoked_partition_is_dropped() -> None:
    reading = Reading()
    reading.assign()
    reading.intake.revoked(m.Revoke(1, 0, 1, 1000), now=0.0)
    reading.deliver(0)
    assert reading.take() == []


def test_revocation_of_an_older_generation_is_void() -> None:
    reading = Reading()
    assignment = reading.assign()
    reading.intake.revoked(m.Revoke(1, 0, 0, 1000), now=0.0)
    reading.intake.revoked(m.Revoke(1, 7, 0, 1000), now=0.0)
    assert assignment.release_by is None
    assert not reading.intake.revoking


def test_other_partitions_are_read_on_during_a_revocation() -> None:
    reading = Reading(partitions=2)
    reading.assign(partition=0)
    reading.assign(partition=1)
    reading.deliver(0, 0, generation=1)
    reading.deliver(0, 1, generation=2)
    reading.intake.revoked(m.Revoke(1, 0, 1, 1000), now=0.0)
    assert reading.intake.revoking == {0}
    assert reading.take() == [0, 1, 2]
    assert (reading.position(0), reading.position(1)) == (0, 3)


def test_partition_that_comes_back_later_starts_at_the_commit() -> None:
    reading = Reading()
    assignment = reading.assign()
    reading.deliver(0)
    reading.take(3)
    reading.intake.revoked(m.Revoke(1, 0, 1, 1000), now=0.0)
    reading.intake.forget(assignment)
    assert not reading.intake.assignments
    assert not reading.intake.revoking
    reading.assign(offset=1)
    assert (reading.handled(), reading.position()) == (1, 1)


def test_partition_that_comes_back_is_committed_as_far_as_this_stream_was_told() -> None:
    reading = Reading()
    reading.intake.forget(reading.assign(offset=3))
    # Nothing was handed out: what the broker says is good enough.
    reading.intake.forget(reading.assign(offset=5))
    assignment = reading.assign(offset=3)
    assert assignment.committed == 3
    reading.deliver(3)
    reading.take(3)
    reading.intake.forget(assignment)
    assert reading.assign(offset=6).committed == 3
    reading.intake.forget(reading.intake.assignments[0])
    assert reading.assign(offset=6).committed == 3


@given(st.lists(st.sampled_from(["take", "ask", "deliver", "cut", "commit"])))
def test_nothing_is_skipped_or_repeated_whatever_happens(steps: list[str]) -> None:
    reading = Reading()
    reading.assign()
    seen: list[int] = []
    delivered = committed = 0
    for step in steps:
        if step == "take":
            seen += reading.take(1)
        elif step == "ask":
            reading.intake.next_hand()
        elif step == "deliver" and delivered < 30:
            reading.deliver(delivered)
            delivered = (delivered // 3 + 1) * 3
        elif step == "commit":
            committed = reading.handled()
        elif step == "cut":
            reading.intake.cut_off()
            reading.assign(offset=committed)
            delivered = committed
        assert len(seen) - 1 <= reading.handled() <= reading.position() == len(seen)
        assert committed <= len(seen)
    assert seen == list(range(len(seen)))
