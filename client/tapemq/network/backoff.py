"""How long to wait between attempts."""

from typing import Final

BASE_S: Final = 0.1
CAP_S: Final = 5.0
"""Well below the 10 s that calls wait by default: a client that is away when the broker is back
for long must not let them time out meanwhile."""


class Backoff:
    """Exponential back-off with full jitter: a random share of 0.1, 0.2, 0.4 ... 5 seconds."""

    def __init__(self, base_s: float = BASE_S, cap_s: float = CAP_S) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._attempts = 0

    def next_delay_s(self, fraction: float) -> float:
        """The wait before the next attempt, in seconds. ``fraction`` is random, 0 to 1."""
        ceiling_s = min(self._cap_s, self._base_s * 2.0 ** min(self._attempts, 32))
        self._attempts += 1
        return ceiling_s * fraction

    def reset(self) -> None:
        """An attempt succeeded."""
        self._attempts = 0
