"""What a stream was asked for."""

from typing import NamedTuple

from tapemq.streams.credit import Grant
from tapemq.streams.start import WireStart


class StreamOptions(NamedTuple):
    """See ``Client.stream`` for what each means. ``group`` "": without one."""

    topic: str
    group: str
    member: str
    start: WireStart
    partitions: tuple[int, ...]
    prefetch: Grant
    hold: bool
    commit_interval_s: float | None
    timeout_s: float
