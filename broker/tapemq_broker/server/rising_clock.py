"""Wall time for what is due at a time: it does not go back."""

from typing import Final

from tapemq_broker.server.clock import Clock


class RisingClock:
    """The wall clock, but a jump back does not count: time goes on from where it was.

    Else what is to come in a second would come when the clock has made up for the jump. What
    ``at_least_us`` says was there already, before this process began, counts too.
    """

    def __init__(self, clock: Clock, at_least_us: int) -> None:
        self._clock: Final = clock
        self._base_us = at_least_us
        self._base_s = clock.monotonic()

    def now_us(self) -> int:
        """Microseconds since 1970 UTC, never fewer than before."""
        now_s, wall_us = self._clock.monotonic(), self._clock.wall_us()
        risen_us = self._base_us + int((now_s - self._base_s) * 1_000_000)
        if wall_us > risen_us:
            self._base_us, self._base_s = wall_us, now_s
            return wall_us
        return risen_us
