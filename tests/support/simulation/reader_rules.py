"""Rules on what one stream object is handed, in which order."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from tests.support.simulation.history import Delivery, History, LogName, Reader

REBALANCE_S: Final = 10.0
"""How long what others did to a group may take to reach a member: messages that are late, and the
time that it has to let go of a partition. It gets the partition back at the last commit."""


def skip(history: History) -> Iterator[str]:
    """A stream misses records although nobody else can have been handed them."""
    for reader, log, deliveries in _runs(history):
        offsets = history.offsets(log)
        first = deliveries[0]
        if reader.from_start and not reader.group and offsets and first.place.offset > offsets[0]:
            yield f"{reader.name} starts at {first.place}, the log at {offsets[0]}"
        for before, after in pairwise(deliveries):
            expected = _next(offsets, before.place.offset)
            if expected is not None and after.place.offset > expected:
                yield from _unless_shared(history, reader, before, after)


def nonmonotonic(history: History) -> Iterator[str]:
    """A stream repeats records although nobody else has owned the partition meanwhile."""
    for reader, _, deliveries in _runs(history):
        for before, after in pairwise(deliveries):
            if after.place.offset <= before.place.offset:
                yield from _unless_shared(history, reader, before, after)


def _runs(history: History) -> Iterator[tuple[Reader, LogName, list[Delivery]]]:
    """What each stream was handed from each log, in order."""
    runs: defaultdict[tuple[str, LogName], list[Delivery]] = defaultdict(list)
    for delivery in history.deliveries:
        runs[delivery.reader, delivery.place.log].append(delivery)
    for (name, log), deliveries in runs.items():
        yield history.readers[name], log, deliveries


def _next(offsets: list[int], offset: int) -> int | None:
    """The offset of the record behind this one."""
    index = bisect_right(offsets, offset)
    return offsets[index] if index < len(offsets) else None


def _unless_shared(
    history: History, reader: Reader, before: Delivery, after: Delivery
) -> Iterator[str]:
    """A complaint, unless the position may have been moved by others."""
    since_s = before.at_s - REBALANCE_S
    others = (
        other
        for other in history.readers.values()
        if other.group == reader.group and other.topic == reader.topic and other is not reader
    )
    if reader.group and (
        any(other.is_open_between(since_s, after.at_s) for other in others)
        or history.was_sought(reader.group, before.place.log, since_s, after.at_s)
    ):
        return
    yield (
        f"{reader.name} was handed {before.place} at {before.at_s:.6f} s, "
        f"then {after.place} at {after.at_s:.6f} s"
    )
