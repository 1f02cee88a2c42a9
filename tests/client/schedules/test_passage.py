import pytest

from tapemq.errors import (
    ConnectionLost,
    IndeterminateError,
    PartitionNotFound,
    RequestRefused,
    TimeoutError,  # noqa: A004  (is one, and has its name)
)
from tapemq.publishing.item import Item
from tapemq.schedules.passage import Compass, Passage, receipt, request
from tapemq.schedules.plan import Plan
from tapemq.wire import errors as wire
from tapemq.wire import messages as m

ITEM = Item(b"v", None, b"")


def test_without_a_key_partitions_take_turns() -> None:
    compass = Compass("t")
    compass.route = m.Topic("t", 7, 2, 0, {})
    assert [compass.target(ITEM, None).partition for _ in range(3)] == [0, 1, 0]
    keyed = ITEM._replace(key=b"k")
    assert len({compass.target(keyed, None) for _ in range(3)}) == 1
    target = compass.target(ITEM, 1)
    assert target == (7, 1)
    with pytest.raises(PartitionNotFound):
        compass.target(ITEM, 2)
    message = request(target, b"body", Plan(key=b"k"))
    assert (message.topic_id, message.partition, message.key) == (7, 1, b"k")
    assert receipt("t", 1, m.Scheduled(5, 0)).schedule_id == 5


def test_refusals() -> None:
    passage = Passage("t")
    assert not passage.heed(RequestRefused("", wire.STALE_METADATA))
    assert passage.heed(RequestRefused("", wire.UNKNOWN_PRODUCER))
    with pytest.raises(RequestRefused):
        passage.heed(RequestRefused("", wire.BAD_REQUEST))
    passage.missed(ConnectionLost())
    assert not passage.heed(RequestRefused("", wire.STALE_METADATA))
    for kind in (wire.UNKNOWN_PRODUCER, wire.STORAGE_FAILED):
        with pytest.raises(IndeterminateError):
            passage.heed(RequestRefused("", kind))


def test_too_late() -> None:
    passage = Passage("t")
    assert isinstance(passage.late(1, ""), TimeoutError)
    passage.sent = True
    assert isinstance(passage.late(1, ""), IndeterminateError)
