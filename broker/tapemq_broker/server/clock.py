"""Time and randomness of the real world: with the disk, the only places that touch it."""

import os
import time
from typing import Protocol


class Clock(Protocol):
    """What time it is."""

    def monotonic(self) -> float:
        """Seconds that never go back, for deadlines."""

    def wall_us(self) -> int:
        """Microseconds since 1970 UTC, for display and retention."""


class Random(Protocol):
    """Where ids come from."""

    def u64(self) -> int:
        """A random number below 2**64, never 0."""

    def bytes(self, size: int) -> bytes:
        """Random bytes."""


class RealClock:
    """The clocks of the operating system."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall_us(self) -> int:
        return time.time_ns() // 1000


class RealRandom:
    """The randomness of the operating system."""

    def u64(self) -> int:
        return int.from_bytes(os.urandom(8), "big") or 1

    def bytes(self, size: int) -> bytes:
        return os.urandom(size)
