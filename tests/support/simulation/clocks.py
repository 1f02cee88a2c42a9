"""Time and randomness of simulated processes: virtual, and from the seed."""

import random
from datetime import UTC, datetime
from typing import Final

from tapemq._clock import Clock
from tests.support.simulation.loop import SimLoop

EPOCH_US: Final = 1_700_000_000_000_000


def virtual_s(shown: datetime) -> float:
    """When a wall clock that has never jumped shows this."""
    epoch = datetime.fromtimestamp(EPOCH_US // 1_000_000, UTC)
    return (shown - epoch).total_seconds()


class BrokerClock:
    """The broker's clocks. The wall clock is wrong by ``skew_s``, which may jump."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self.skew_s = 0.0
        self.set_back_us: list[int] = []
        """What the wall clock showed whenever it jumped back."""
        self.jumps: list[float] = []
        """When it jumped, in virtual seconds."""

    def monotonic(self) -> float:
        return self._loop.time()

    def wall_us(self) -> int:
        return EPOCH_US + int((self._loop.time() + self.skew_s) * 1e6)

    def jump(self, by_s: float) -> None:
        """Let the wall clock jump."""
        if by_s < 0:
            self.set_back_us.append(self.wall_us())
        if by_s:
            self.jumps.append(self._loop.time())
        self.skew_s += by_s


class BrokerRandom:
    """The broker's randomness."""

    def __init__(self, seeded: random.Random) -> None:
        self._random = seeded

    def u64(self) -> int:
        return self._random.randrange(1, 1 << 64)

    def bytes(self, size: int) -> bytes:
        return self._random.randbytes(size)


class ClientClock(Clock):
    """The SDK's wall clock and randomness."""

    def __init__(self, loop: SimLoop, seeded: random.Random) -> None:
        self._loop = loop
        self._random = seeded

    def wall_us(self) -> int:
        return EPOCH_US + int(self._loop.time() * 1e6)

    def fraction(self) -> float:
        return self._random.random()

    def token(self) -> str:
        return f"{self._random.getrandbits(32):08x}"
