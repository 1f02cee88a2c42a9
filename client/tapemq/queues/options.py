"""What a queue was asked for."""

from typing import NamedTuple, Unpack

from tapemq.queues.settings import QueueSettings, wire_settings
from tapemq.streams.credit import Grant
from tapemq.streams.start import Start, WireStart, wire_start
from tapemq.wire import messages as m
from tapemq.wire.fields import Settings
from tapemq.wire.names import check_name


class QueueOptions(NamedTuple):
    """See ``Client.queue``."""

    topic: str
    group: str
    consumer: str
    start: WireStart
    prefetch: Grant
    settings: Settings
    timeout_s: float


def queue_options(
    topic: str,
    *,
    group: str,
    consumer: str,
    start: Start,
    prefetch: int,
    prefetch_bytes: int,
    timeout_s: float,
    **settings: Unpack[QueueSettings],
) -> QueueOptions:
    """Check an application's choices: see ``Client.queue``. Raises ValueError."""
    if prefetch < 1 or prefetch_bytes < 1:
        raise ValueError("prefetch and prefetch_bytes are at least 1")
    return QueueOptions(
        topic=check_name("topic", topic),
        group=check_name("group", group),
        consumer=consumer,
        start=wire_start(start),
        prefetch=Grant(prefetch, prefetch_bytes),
        settings=wire_settings(settings),
        timeout_s=timeout_s,
    )


def consume_request(options: QueueOptions, topic_id: int) -> m.Consume:
    """The request, still with subscription 0."""
    return m.Consume(
        subscription=0,
        topic_id=topic_id,
        group=options.group,
        consumer=options.consumer,
        start=options.start.start,
        start_value=options.start.value,
        credit_records=options.prefetch.records,
        credit_bytes=options.prefetch.bytes,
        settings=options.settings,
        deadline_ms=int(options.timeout_s * 1000),
    )
