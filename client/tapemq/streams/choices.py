"""What an application may choose about a stream, checked."""

from collections.abc import Sequence
from operator import index

from tapemq.streams.credit import Grant
from tapemq.streams.plan import StreamOptions
from tapemq.streams.start import Start, wire_start
from tapemq.timeouts import check_positive_timeout
from tapemq.wire.names import check_name


def stream_options(
    topic: str,
    *,
    group: str | None,
    member: str,
    start: Start,
    partitions: Sequence[int] | None,
    prefetch_records: int,
    prefetch_bytes: int,
    hold: bool,
    commit_interval: float | None,
    timeout_s: float,
) -> StreamOptions:
    """See ``Client.stream``. Raises ValueError, TypeError."""
    if prefetch_records < 1 or prefetch_bytes < 1:
        raise ValueError("prefetch_records and prefetch_bytes are at least 1")
    interval_s = commit_interval
    if interval_s is not None:
        interval_s = check_positive_timeout("commit_interval", interval_s)
    numbers = () if partitions is None else _numbers(partitions)
    if partitions is not None and not 1 <= len(numbers) <= 64:
        raise ValueError(f"1 to 64 partitions can be named, not {len(numbers)}")
    return StreamOptions(
        topic=check_name("topic", topic),
        group="" if group is None else check_name("group", group),
        member=member,
        start=wire_start(start),
        partitions=numbers,
        prefetch=Grant(prefetch_records, prefetch_bytes),
        hold=hold,
        commit_interval_s=interval_s,
        timeout_s=timeout_s,
    )


def _numbers(partitions: Sequence[int]) -> tuple[int, ...]:
    try:
        return tuple(map(index, partitions))
    except TypeError:
        raise TypeError(f"partitions are whole numbers, not {partitions!r}") from None
