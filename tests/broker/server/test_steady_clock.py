"""Jumps of the wall clock, and what they make old: nothing."""

from tapemq_broker.server.steady_clock import SteadyClock

YEAR_S = 365 * 86_400


class Jumpy:
    """Both clocks, set by hand."""

    def __init__(self) -> None:
        self.monotonic_s = 10.0
        self.wall_s = 1_000_000.0

    def monotonic(self) -> float:
        return self.monotonic_s

    def wall_us(self) -> int:
        return int(self.wall_s * 1_000_000)

    def passes(self, seconds: float, *, jump_s: float = 0.0) -> None:
        self.monotonic_s += seconds
        self.wall_s += seconds + jump_s


def test_time_that_passes_is_told() -> None:
    clock = Jumpy()
    steady = SteadyClock(clock)
    for _ in range(3):
        clock.passes(100.0)
        assert steady.now_us() == clock.wall_us()


def test_jump_ahead_does_not_count_and_time_behind_it_does() -> None:
    clock = Jumpy()
    steady = SteadyClock(clock)
    clock.passes(100.0, jump_s=YEAR_S)
    assert 1_000_100 * 10**6 <= steady.now_us() <= 1_000_101 * 10**6
    clock.passes(900.0)
    assert 1_001_000 * 10**6 <= steady.now_us() <= 1_001_002 * 10**6


def test_jump_back_counts_at_once_and_its_correction_slowly() -> None:
    clock = Jumpy()
    steady = SteadyClock(clock)
    clock.passes(100.0, jump_s=-3600.0)
    assert steady.now_us() == clock.wall_us()
    clock.passes(1.0, jump_s=3600.0)
    assert steady.now_us() < clock.wall_us() - 3500 * 10**6


def test_clock_that_is_adjusted_a_little_is_followed() -> None:
    clock = Jumpy()
    steady = SteadyClock(clock)
    clock.passes(1000.0, jump_s=0.5)
    assert steady.now_us() == clock.wall_us()


def test_clock_that_is_looked_at_all_the_time_does_not_fall_behind() -> None:
    clock = Jumpy()
    steady = SteadyClock(clock)
    for _ in range(100_000):
        clock.passes(0.0000017)
        steady.now_us()
    assert abs(steady.now_us() - clock.wall_us()) < 100
