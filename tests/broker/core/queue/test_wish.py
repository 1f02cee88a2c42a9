from tapemq_broker.core.queue.wish import Consume
from tapemq_broker.core.start import Start
from tests.support.core.reading import key


def test_a_wish_names_its_fields_as_the_protocol_does() -> None:
    wish = Consume(key(1), 2, "billing", "worker", Start("earliest"), 10, 1000, {})
    assert (wish.topic_id, wish.credit_records, wish.credit_bytes) == (2, 10, 1000)
