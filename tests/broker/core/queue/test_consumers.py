import pytest

from tapemq_broker.core.queue.consumer import Consumer
from tapemq_broker.core.queue.consumers import Consumers, Consuming
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.terms import Terms
from tapemq_broker.core.refusal import Refused
from tests.support.core.reading import key


def test_consumers_are_found_by_session() -> None:
    group, consumers = QueueGroup(1, "g", Terms.of({}, 1)), Consumers()
    found = [Consuming(group, Consumer(key(*at), "", 1, 1)) for at in ((1, 1), (1, 2), (2, 1))]
    for consuming in found:
        consumers.add(consuming)
    assert list(group.consumers) == [key(1, 1), key(1, 2), key(2, 1)]
    assert consumers.of_session(1) == found[:2]
    assert consumers.existing(key(2)) == found[2]
    assert len(consumers) == 3
    consumers.forget(key(2))
    assert consumers.of_session(2) == []
    assert list(group.consumers) == [key(1, 1), key(1, 2), key(2, 1)]
    with pytest.raises(Refused, match="no queue 1"):
        consumers.existing(key(2))
