"""The one place of the SDK that reads the wall clock and draws randomness."""

import os
import time


class Clock:
    """Time and randomness. A simulation hands in its own.

    With asyncio, monotonic time is the event loop's ``time()``.
    """

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def wall_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1000

    def fraction(self) -> float:
        """A random number, at least 0 and below 1."""
        return int.from_bytes(os.urandom(6)) / 2**48  # importing random takes 3 ms

    def token(self) -> str:
        """Eight hexadecimal digits that nobody else is likely to draw."""
        return os.urandom(4).hex()
