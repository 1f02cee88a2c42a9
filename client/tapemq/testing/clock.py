"""A clock that goes on by itself, and further when a test says so."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final

from tapemq._clock import Clock as RealClock

_STEP_S: Final = 60.0
_STEPS_MAX: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """The broker's clock: real time, and what it was advanced by."""

    def __init__(self, catch_up: Callable[[], Awaitable[None]]) -> None:
        self._real = RealClock()
        self._ahead_s = 0.0
        self._catch_up = catch_up

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._real.monotonic() + self._ahead_s

    def wall_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return self._real.wall_us() + int(self._ahead_s * 1_000_000)

    def now(self) -> datetime:
        """What time it is for the broker, in UTC."""
        return _EPOCH + timedelta(microseconds=self.wall_us())

    async def advance(
        self, *, days: float = 0.0, hours: float = 0.0, minutes: float = 0.0, seconds: float = 0.0
    ) -> None:
        """Let time pass for the broker: leases run out, retries and schedules come due, what is
        too old goes.

        It passes in steps of a minute (or 1,000 longer ones), and the broker does what is due
        after each. When this returns, that is on disk; deliveries may still be on their way.
        Connections do not notice: they are not cut for silence.

        Raises ValueError if the time is negative.
        """
        all_s = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
        if all_s < 0:
            raise ValueError(f"time does not go back by {-all_s:g} s")
        await self._catch_up()  # what clients have just said comes before
        steps = min(_STEPS_MAX, max(1, ceil(all_s / _STEP_S)))
        for _ in range(steps):
            self._ahead_s += all_s / steps
            await self._catch_up()
