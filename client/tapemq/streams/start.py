"""Where to start reading, as the caller says it and as the protocol does."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

Start = Literal["earliest", "latest"] | int | datetime
"""The first record that is left, behind the last one, an offset, or the first appended at a time.

A datetime without a time zone is UTC.
"""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class WireStart(NamedTuple):
    """``start`` and ``start_value`` of the protocol."""

    start: str
    value: int = 0


def wire_start(start: Start) -> WireStart:
    """Translate. Raises ValueError for what is no start."""
    if isinstance(start, str):
        if start in ("earliest", "latest"):
            return WireStart(start)
    elif isinstance(start, datetime):
        zoned = start if start.tzinfo else start.replace(tzinfo=UTC)
        return WireStart("time", max(0, (zoned - _EPOCH) // timedelta(microseconds=1)))
    elif type(start) is int:  # a bool is none
        if start < 0:
            raise ValueError(f"an offset counts from 0; it is not {start}")
        return WireStart("offset", start)
    raise ValueError(f'a start is "earliest", "latest", an offset or a datetime, not {start!r}')
