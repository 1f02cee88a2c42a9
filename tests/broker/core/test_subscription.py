import pytest

from tapemq_broker.core.effects import Deliver, SubscriptionKey
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.subscription import DELIVERY_BYTES_MAX, Reader, Subscription

KEY = SubscriptionKey(1, 1)
MUCH = 1 << 30


def subscription(records: int = MUCH, size_bytes: int = MUCH) -> Subscription:
    return Subscription(KEY, 1, None, "", records, size_bytes)


def reader(number: int, upto: int = 100, position: int = 0) -> Reader:
    partition = Partition(1, number)
    partition.opened(0, upto, upto)
    return Reader(partition, 10 + number, position)


def deliver(of: Reader, upto: int, max_bytes: int = DELIVERY_BYTES_MAX) -> Deliver:
    return Deliver(KEY, of.partition.log, of.generation, of.position, upto, max_bytes)


@pytest.mark.parametrize(
    ("records", "size_bytes", "upto", "max_bytes"),
    [
        (MUCH, MUCH, 100, DELIVERY_BYTES_MAX),
        (7, MUCH, 7, DELIVERY_BYTES_MAX),
        (MUCH, 70, 100, 70),
    ],
)
def test_delivery_is_as_large_as_credit_allows(
    records: int, size_bytes: int, upto: int, max_bytes: int
) -> None:
    reading, one = subscription(records, size_bytes), reader(0)
    reading.attach(one)
    assert reading.next_delivery() == deliver(one, upto, max_bytes)


def test_one_delivery_at_a_time_so_credit_is_overdrawn_once() -> None:
    reading, one, two = subscription(5, 500), reader(0), reader(1)
    reading.attach(one)
    reading.attach(two)
    assert reading.next_delivery() is not None
    assert reading.next_delivery() is None
    reading.settle(0, 10, next_offset=8, records=8, size_bytes=300)
    assert (reading.credit_records, reading.credit_bytes) == (-3, 200)
    assert reading.next_delivery() is None
    reading.grant(3, 0)
    assert reading.next_delivery() is None
    reading.grant(1, 0)
    assert reading.next_delivery() == deliver(two, 1, 200)


def test_bytes_alone_hold_back_too() -> None:
    reading, one = subscription(MUCH, 100), reader(0)
    reading.attach(one)
    assert reading.next_delivery() is not None
    reading.settle(0, 10, next_offset=8, records=8, size_bytes=100)
    assert reading.next_delivery() is None
    reading.grant(0, 1)
    assert reading.next_delivery() == deliver(one, 100, 1)


def test_partitions_take_turns() -> None:
    reading = subscription()
    readers = [reader(number) for number in range(3)]
    for one in readers:
        reading.attach(one)
    turns = []
    for _ in range(7):
        delivery = reading.next_delivery()
        assert delivery is not None
        turns.append(delivery.log.partition)
        reading.settle(
            delivery.log.partition,
            delivery.generation,
            next_offset=delivery.offset + 1,
            records=1,
            size_bytes=1,
        )
    assert turns == [0, 1, 2, 0, 1, 2, 0]


def test_reader_at_the_end_is_woken_when_there_is_more() -> None:
    reading, one = subscription(), reader(0, upto=5)
    reading.attach(one)
    assert reading.next_delivery() == deliver(one, 5)
    reading.settle(0, 10, next_offset=5, records=5, size_bytes=9)
    assert reading.next_delivery() is None
    one.partition.durable_offset = 6
    reading.wake(one)
    reading.wake(one)
    assert reading.next_delivery() == deliver(one, 6)
    reading.wake(one)  # more has come while it was being sent to
    reading.settle(0, 10, next_offset=6, records=1, size_bytes=9)
    assert reading.next_delivery() is None


def test_retention_passes_a_reader_by() -> None:
    reading, one, two = subscription(), reader(0), reader(1)
    reading.attach(one)
    reading.attach(two)
    one.partition.first_offset = 40
    assert reading.next_delivery() == deliver(one, 100)
    assert one.position == 40
    reading.settle(0, 10, next_offset=50, records=10, size_bytes=9)
    two.partition.first_offset = 100
    one.partition.durable_offset = 50
    assert reading.next_delivery() is None


def test_void_delivery_costs_but_moves_nobody() -> None:
    reading, one = subscription(10, 1000), reader(0)
    reading.attach(one)
    assert reading.next_delivery() is not None
    assert reading.detach(0) is one
    again = Reader(one.partition, 20, 30)
    reading.attach(again)
    assert not reading.is_sending(0, 10)
    assert reading.next_delivery() == deliver(again, 40, 1000)
    assert reading.is_sending(0, 20)
    reading.settle(0, 10, next_offset=5, records=5, size_bytes=50)
    assert (reading.credit_records, reading.credit_bytes) == (5, 950)
    assert again.position == 30
    assert reading.next_delivery() is None
    reading.settle(0, 20, next_offset=31, records=1, size_bytes=50)
    assert again.position == 31


def test_detached_reader_leaves_the_line() -> None:
    reading, one, two = subscription(), reader(0), reader(1)
    reading.attach(one)
    reading.attach(two)
    assert reading.detach(0) is one
    assert reading.detach(0) is None
    assert reading.readers == {1: two}
    assert reading.next_delivery() == deliver(two, 100)


def test_read_without_progress_is_not_repeated_at_once() -> None:
    """Else the loop would be kept busy for ever."""
    reading, one = subscription(), reader(0)
    reading.attach(one)
    assert reading.next_delivery() is not None
    reading.settle(0, 10, next_offset=0, records=0, size_bytes=0)
    assert reading.next_delivery() is None
    reading.wake(one)
    assert reading.next_delivery() is not None
