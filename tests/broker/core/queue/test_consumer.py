import pytest

from tapemq_broker.core.queue.consumer import Consumer
from tests.support.core.reading import key


@pytest.mark.parametrize(
    ("records", "size_bytes", "stalled", "can_take"),
    [(1, 1, False, True), (0, 1, False, False), (1, 0, False, False), (1, 1, True, False)],
)
def test_credit_is_of_records_and_of_bytes(
    records: int, size_bytes: int, stalled: bool, can_take: bool
) -> None:
    consumer = Consumer(key(1), "", records, size_bytes, stalled=stalled)
    assert consumer.has_credit == can_take
