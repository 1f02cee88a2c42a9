"""Wall time as far as it can be trusted to say how old something is."""

from typing import Final

from tapemq_broker.server.clock import Clock

_RATE: Final = 1.001
"""How much faster than the monotonic clock a wall clock may run while it is being adjusted."""

_STEP_S: Final = 0.01
"""Measured from step to step: what is cut off a microsecond then stays far below that rate."""


class SteadyClock:
    """The wall clock, but a jump ahead does not count until the process starts anew.

    So nothing becomes old by a jump; a jump back is followed at once, which only keeps more.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock
        self._wall_us = clock.wall_us()
        self._monotonic_s = clock.monotonic()

    def now_us(self) -> int:
        """Microseconds since 1970 UTC; never more than have passed since the start."""
        now_s, wall_us = self._clock.monotonic(), self._clock.wall_us()
        passed_s = now_s - self._monotonic_s
        steady_us = min(wall_us, self._wall_us + int(passed_s * _RATE * 1_000_000))
        if passed_s >= _STEP_S:
            self._wall_us, self._monotonic_s = steady_us, now_s
        return steady_us
