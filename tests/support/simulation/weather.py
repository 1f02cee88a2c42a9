"""How the network behaves."""

from random import Random
from typing import Final, NamedTuple

WINDOW_BYTES: Final = 256 * 1024
"""What the two kernels hold between the sending and the receiving process."""


class Weather(NamedTuple):
    """Delays are virtual seconds, chances between 0 and 1."""

    latency_s: float = 50e-6
    spike_chance: float = 0.0
    spike_s: float = 0.0
    split_chance: float = 0.0
    window_bytes: int = WINDOW_BYTES

    def delay_s(self, random: Random) -> float:
        """How long a piece of data travels."""
        delay_s = self.latency_s * (0.5 + random.random())
        if self.spike_chance and random.random() < self.spike_chance:
            delay_s += self.spike_s * random.random()
        return delay_s

    def wake_s(self, random: Random) -> float:
        """How long a process takes to notice what has arrived."""
        return self.latency_s * random.random()

    def read_bytes(self, random: Random, arrived_bytes: int, room_bytes: int) -> int:
        """How much one read gives of what has arrived; at least one byte."""
        size_bytes = min(arrived_bytes, room_bytes)
        if size_bytes > 1 and self.split_chance and random.random() < self.split_chance:
            return random.randint(1, min(size_bytes, random.choice((4, 64, size_bytes))))
        return size_bytes


def draw_weather(random: Random) -> Weather:
    """Anything from a calm network to one that delays and splits all the time."""
    return Weather(
        latency_s=random.choice((20e-6, 100e-6, 1e-3)),
        spike_chance=random.choice((0.0, 0.01, 0.05)),
        spike_s=random.choice((0.005, 0.1, 1.0)),
        split_chance=random.choice((0.0, 0.05, 0.5)),
        window_bytes=random.choice((4096, WINDOW_BYTES)),
    )
