"""A broker's clock that a test sets ahead instead of waiting."""

from tapemq_broker.server.clock import RealClock


class AheadClock(RealClock):
    """The machine's clock, and so many seconds."""

    monotonic_ahead_s = 0.0
    wall_ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.monotonic_ahead_s

    def wall_us(self) -> int:
        return super().wall_us() + int(self.wall_ahead_s * 1_000_000)
