"""A wish to take records as a worker of a queue group."""

from typing import NamedTuple

from tapemq_broker.core.effects import SubscriptionKey
from tapemq_broker.core.results import TopicSettings
from tapemq_broker.core.start import Start


class Consume(NamedTuple):
    """``start`` and ``settings`` are for a group that does not exist yet. ``consumer``: a name."""

    key: SubscriptionKey
    topic_id: int
    group: str
    consumer: str
    start: Start
    credit_records: int
    credit_bytes: int
    settings: TopicSettings
