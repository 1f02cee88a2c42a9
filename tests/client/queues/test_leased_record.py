import copy
import gc
import pickle
from collections.abc import Callable

import pytest

import tapemq.sync.message
from tapemq.queues.lease import Lease
from tapemq.queues.leased_record import LeasedRecord
from tapemq.queues.message import Message
from tapemq.streams.record import Record, Source
from tapemq.wire import messages as m
from tapemq.wire.entries import Run


def record(offset: int = 3) -> LeasedRecord:
    message = m.Leased(1, 0, 7, b"", 30_000, failures=2, crashes=1, deliveries=5)
    lease = Lease(message, [Run(3, 2)], 0, 0.0)
    return LeasedRecord(b"v", b"k", offset, b"", Source("t", 2, 0), lease)


def test_it_is_a_record() -> None:
    one = record()
    assert isinstance(one, Record)
    assert (one.topic, one.partition, one.offset) == ("t", 2, 3)
    assert (one.text, one.key_text, one.headers) == ("v", "k", {})
    assert repr(one) == "<LeasedRecord t/2 offset=3 attempt=4 key=b'k' value=b'v'>"


def test_attempts_count_failures_and_crashes_only() -> None:
    one = record()
    assert (one.attempt, one.failures, one.crashes, one.deliveries) == (4, 2, 1, 5)


def test_held_then_settled_or_lost() -> None:
    settled, lost = record(), record()
    assert (settled.settled, settled.lease_lost) == (False, False)
    settled._lease.held.remove(3)
    assert (settled.settled, settled.lease_lost) == (True, False)
    lost._lease.lose([3])
    assert (lost.settled, lost.lease_lost) == (False, True)


@pytest.mark.parametrize("hand_over", [pickle.dumps, copy.deepcopy])
def test_it_says_that_it_stays_in_its_process(hand_over: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="belongs to this process's connection"):
        hand_over(record())
    assert copy.copy(record()).value == b"v"


class Ring:
    """What a lease leads to, and what leads back to a message."""

    def __init__(self, kind: type[LeasedRecord]) -> None:
        one = record()
        self.message = kind(one.value, one.key, one.offset, b"", one._source, one._lease)
        one._lease.desk = self


@pytest.mark.parametrize("kind", [LeasedRecord, Message, tapemq.sync.message.Message])
def test_a_ring_through_a_message_is_collected(kind: type[LeasedRecord]) -> None:
    Ring(kind)
    gc.collect()
    assert not [one for one in gc.get_objects() if type(one) is Ring]
