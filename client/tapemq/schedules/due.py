"""When a record is to come into its topic."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

Duration = float | timedelta
"""Seconds, or a timedelta."""

CatchUp = Literal["all", "last", "none"]
"""Which of the times that passed while the broker was down a recurring record comes for."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Due(NamedTuple):
    """A time, or a delay from the arrival at the broker; or neither."""

    due_us: int = 0
    delay_ms: int = 0


class Plan(NamedTuple):
    """When a record comes, and under which key it can be replaced."""

    due: Due = Due()
    key: bytes = b""
    cron: str = ""
    time_zone: str = "UTC"
    every_ms: int = 0
    catch_up: CatchUp = "last"

    @property
    def is_plain(self) -> bool:
        """Once, and without a key: it can leave together with others."""
        return not (self.key or self.cron or self.every_ms)


def wire_due(delay: Duration | None, at: datetime | None) -> Due:
    """As the protocol says it. Raises ValueError."""
    if delay is not None and at is not None:
        raise ValueError("give delay or at, not both")
    if at is not None:
        if at.tzinfo is None:
            raise ValueError("at is a datetime with a time zone, such as datetime.now(UTC)")
        return Due(max(1, (at - _EPOCH) // _MICROSECOND))
    return Due(0, 0 if delay is None else milliseconds("delay", delay))


def milliseconds(name: str, duration: Duration) -> int:
    """A duration, rounded up. Raises ValueError if it is negative."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if not 0 <= seconds < 1e11:
        raise ValueError(f"{name} is not negative, in seconds or as a timedelta, not {duration!r}")
    return -int(-seconds * 1000 // 1)
