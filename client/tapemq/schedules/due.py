"""When a record is to come into its topic."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

from tapemq.timeouts import seconds_of

Duration = float | timedelta
"""Seconds, or a timedelta."""

CatchUp = Literal["all", "last", "none"]
"""Which of the times that passed while the broker was down a recurring record comes for."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECONDS_END: Final = 100_000_000_000


class Due(NamedTuple):
    """A time, or a delay from the arrival at the broker; or neither."""

    due_us: int = 0
    delay_ms: int = 0


def wire_due(delay: Duration | None, at: datetime | None) -> Due:
    """As the protocol says it. Raises ValueError."""
    if delay is not None and at is not None:
        raise ValueError("give delay or at, not both")
    if at is not None:
        return due_at("at", at)
    return Due(0, 0 if delay is None else milliseconds("delay", delay))


def due_at(name: str, at: datetime) -> Due:
    """At a time. Raises ValueError for one without a time zone, TypeError for what is no time."""
    if not isinstance(at, datetime):
        raise TypeError(f"{name} is a datetime, not {at!r}")
    if at.tzinfo is None:
        raise ValueError(f"{name} is a datetime with a time zone, such as datetime.now(UTC)")
    return Due(max(1, (at - _EPOCH) // _MICROSECOND))


def milliseconds(name: str, duration: Duration) -> int:
    """A duration, rounded up. Raises ValueError if it is negative, or of 3,000 years and more,
    TypeError if it is none."""
    seconds = seconds_of(name, duration)
    if not 0 <= seconds < _SECONDS_END:
        raise ValueError(
            f"{name} is not negative and less than {_SECONDS_END:,} seconds, as a number or a "
            f"timedelta, not {duration!r}"
        )
    return -int(-seconds * 1000 // 1)
