"""What an intake drops, goes on with and gives back when a partition or a connection is lost."""

from collections import deque

import pytest

from tapemq.batch import BatchError, Kind, decode_header
from tapemq.streams.credit import Grant
from tapemq.wire import messages as m
from tests.support.intake_reading import SUBSCRIPTION, Reading

EAGER = Grant(4, 1_000_000)
"""Every record that is taken or dropped is granted again at once."""


def revoke(reading: Reading, partition: int = 0, generation: int = 1) -> None:
    reading.intake.revoked(m.Revoke(SUBSCRIPTION, partition, generation, 1000), now=0.0)


def granted(reading: Reading) -> int:
    grants = reading.intake.grants
    records = sum(grant.records for grant in grants)
    grants.clear()
    return records


def test_credit_of_what_a_revocation_drops_is_returned() -> None:
    """Else nothing more would come, of any partition, once the window is used up."""
    reading = Reading(2, EAGER)
    reading.assign(partition=0)
    reading.assign(partition=1)
    reading.deliver(0, 0, generation=1)
    reading.deliver(3, 0, generation=1)
    for offset in (0, 3, 6):
        reading.deliver(offset, 1, generation=2)
    revoke(reading, 0, 1)
    assert granted(reading) == 6
    assert reading.take() == list(range(9))
    assert granted(reading) == 9


def test_a_lost_connection_leaves_no_credit_for_the_next_one() -> None:
    reading = Reading(1, EAGER)
    reading.assign()
    reading.deliver(0)
    reading.intake.cut_off()
    assert reading.intake.grants == deque()
    reading.deliver(3)
    assert reading.intake.grants == deque()


def test_a_cut_in_the_midst_of_a_batch_repeats_nothing_of_it() -> None:
    reading = Reading()
    reading.assign()
    reading.deliver(0)
    assert reading.take(2) == [0, 1]
    reading.intake.cut_off()
    reading.assign(offset=1)  # as it was committed
    reading.deliver(1)
    assert reading.take() == [2]


def test_a_partition_that_is_assigned_again_is_not_on_its_way_out() -> None:
    reading = Reading()
    reading.assign()
    revoke(reading)
    reading.assign()
    assert not reading.intake.revoking


def test_a_damaged_batch_does_not_repeat_the_one_before_it() -> None:
    reading = Reading()
    reading.assign()
    first, second = (bytearray(batch.data) for batch in reading.logs[0].batches[:2])
    second[-1] ^= 1
    reading.intake.delivered(m.Deliver(SUBSCRIPTION, 0, 1, 0, 6, 6), memoryview(first + second))
    assert reading.take(3) == [0, 1, 2]
    for _ in range(2):
        with pytest.raises(BatchError):
            reading.take()
    assert (reading.handled(), reading.position()) == (3, 3)


def test_a_mark_behind_records_is_passed() -> None:
    reading = Reading()
    reading.assign()
    data = bytes(reading.logs[0].batches[0].data)
    header = decode_header(data)
    mark = header._replace(
        kind=Kind.MARK, base_offset=3, record_count=0, body_length=0, body_checksum=0
    )
    payload = memoryview(data + mark.encode()[0])
    reading.intake.delivered(m.Deliver(SUBSCRIPTION, 0, 1, 0, 3, 3), payload)
    assert reading.take() == [0, 1, 2]


def test_a_move_drops_what_is_buffered_and_in_hand() -> None:
    reading = Reading(1, EAGER)
    assignment = reading.assign()
    reading.deliver(0)
    reading.deliver(3)
    reading.take(1)
    granted(reading)
    reading.intake.move(assignment, 21)
    assert (reading.handled(), reading.position(), granted(reading)) == (21, 21, 3)
    assert reading.take() == []
    assert reading.position() == 21
