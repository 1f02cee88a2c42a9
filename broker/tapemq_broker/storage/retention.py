"""Which part of a log has had its time. Pure: it looks at sizes and at broker time only."""

from collections.abc import Sequence
from typing import Final

from tapemq_broker.storage.record_log import SegmentInfo

SPANS: Final = 4
"""A segment holds at most this part of the age at which records go: only whole segments do, so
a record is kept so much longer than it must be."""


def outgrows_age(
    begun_us: int | None, last_append_time_us: int, now_us: int, max_age_us: int | None
) -> bool:
    """Whether the newest segment shall end, so that its records can go in their time.

    It began with a batch of ``begun_us`` (None: it has none) and goes up to the log's newest one;
    the clocks are those of retained_from(). Without that, a log that is written to slowly would
    keep its records for as long as they take to fill a segment.
    """
    if begun_us is None or max_age_us is None:
        return False
    return (min(now_us, last_append_time_us) - begun_us) * SPANS > max_age_us


def retained_from(
    segments: Sequence[SegmentInfo],
    now_us: int,
    *,
    max_age_us: int | None,
    max_bytes: int | None,
    hold_offset: int | None,
) -> int:
    """The offset below which the log may be cut; always the base offset of a segment.

    ``segments`` are all of a log, oldest first. A segment goes when its newest batch is older
    than ``max_age_us``, or when ``max_bytes`` are left without it (None: no such limit), but
    never the last one, nor one with an offset at or above ``hold_offset`` (None: nobody holds).
    Only time on the broker counts, never a producer's.

    Age is measured against the earlier of ``now_us`` and the log's newest batch. So a wall clock
    that jumps ahead deletes nothing by itself: what is written goes on counting, what the clock
    says about a log at rest does not. The price is that a log that nobody writes to keeps what
    it has; nothing grows meanwhile.
    """
    if not segments:
        raise ValueError("a log has at least one segment")
    clock_us = min(now_us, segments[-1].last_append_time_us)
    spare_bytes = sum(segment.size_bytes for segment in segments) - (max_bytes or 0)
    for segment in segments[:-1]:
        is_held = hold_offset is not None and segment.next_offset > hold_offset
        is_old = max_age_us is not None and clock_us - segment.last_append_time_us > max_age_us
        is_surplus = max_bytes is not None and spare_bytes >= segment.size_bytes
        if is_held or not (is_old or is_surplus):
            return segment.base_offset
        spare_bytes -= segment.size_bytes
    return segments[-1].base_offset
