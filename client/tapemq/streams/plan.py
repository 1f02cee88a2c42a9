"""Which subscriptions a stream makes, at first and again after it was cut off."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from tapemq.streams.credit import Grant
from tapemq.streams.seek import Seek
from tapemq.streams.start import WireStart
from tapemq.wire import messages as m
from tapemq.wire.limits import PARTITIONS_MAX

_BEGINNING: Final = WireStart("earliest")
_SUBSCRIPTIONS_MAX: Final = 32
"""Most subscriptions of one stream: half of what a connection may have."""


class StreamOptions(NamedTuple):
    """What a stream was asked for: see ``Client.stream``. ``group`` "": without one."""

    topic: str
    group: str
    member: str
    start: WireStart
    partitions: tuple[int, ...]
    prefetch: Grant
    hold: bool
    commit_interval_s: float | None
    timeout_s: float


def plan_subscriptions(
    options: StreamOptions,
    topic: m.Topic,
    positions: Mapping[int, int],
    partitions_at_start: int = PARTITIONS_MAX,
    seek: Seek | None = None,
) -> list[m.Subscribe]:
    """The requests, still with subscription 0.

    The broker keeps a group's positions, so that one subscription is enough. Without a group the
    ``positions`` (by partition) are the stream's own, and a subscription has one start: each
    partition gets its own, or, if that were too many, some share the lowest start and the intake
    skips what it has seen. A partition that came after the stream's start is read from its first
    record on; those that are sought elsewhere, from there.
    """
    if options.group:
        return [_subscribe(options, topic, options.partitions, options.start, options.prefetch)]
    partitions = options.partitions or range(topic.partitions)
    sought = [] if seek is None else [p for p in partitions if p in seek.partitions]
    rest = [p for p in partitions if seek is None or p not in seek.partitions]
    new = [partition for partition in rest if partition not in positions]
    seen = sorted((p for p in rest if p in positions), key=lambda p: positions[p])
    there = [partition for partition in new if partition < partitions_at_start]
    grown = [partition for partition in new if partition >= partitions_at_start]
    parts = [] if seek is None else [(run, seek.start) for run in _runs(sought)]
    parts += [(run, options.start) for run in _runs(there)]
    parts += [(run, _BEGINNING) for run in _runs(grown)]
    parts += [(run, WireStart("offset", positions[run[0]])) for run in _runs(seen)]
    share = Grant(
        max(1, options.prefetch.records // len(parts)), max(1, options.prefetch.bytes // len(parts))
    )
    return [_subscribe(options, topic, tuple(run), start, share) for run, start in parts]


def _runs(partitions: list[int]) -> list[list[int]]:
    size = -(-len(partitions) * 2 // _SUBSCRIPTIONS_MAX) or 1
    return [partitions[first : first + size] for first in range(0, len(partitions), size)]


def _subscribe(
    options: StreamOptions,
    topic: m.Topic,
    partitions: tuple[int, ...],
    start: WireStart,
    prefetch: Grant,
) -> m.Subscribe:
    return m.Subscribe(
        subscription=0,
        topic_id=topic.topic_id,
        group=options.group,
        start=start.start,
        start_value=start.value,
        partitions=list(partitions),
        member=options.member,
        hold=options.hold,
        credit_records=prefetch.records,
        credit_bytes=prefetch.bytes,
        deadline_ms=int(options.timeout_s * 1000),
    )
