"""Time goes on however the wall clock jumps."""

from hypothesis import given
from hypothesis import strategies as st

from tapemq_broker.server.rising_clock import RisingClock


class SetClock:
    """Clocks as the test sets them."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.now_us = 1_000_000

    def monotonic(self) -> float:
        return self.now_s

    def wall_us(self) -> int:
        return self.now_us


def test_wall_time_is_followed() -> None:
    clock = SetClock()
    rising = RisingClock(clock, 0)
    assert rising.now_us() == 1_000_000
    clock.now_s, clock.now_us = 101.0, 2_000_007
    assert rising.now_us() == 2_000_007
    clock.now_us = 9_000_000
    assert rising.now_us() == 9_000_000


def test_a_jump_back_does_not_count() -> None:
    clock = SetClock()
    rising = RisingClock(clock, 0)
    rising.now_us()
    clock.now_s, clock.now_us = 102.5, 5
    assert rising.now_us() == 3_500_000


def test_time_is_not_before_what_was_there_already() -> None:
    clock = SetClock()
    rising = RisingClock(clock, 7_000_000)
    assert rising.now_us() == 7_000_000
    clock.now_s = 101.0
    assert rising.now_us() == 8_000_000


@given(st.lists(st.tuples(st.floats(0, 0.001), st.integers(-5000, 5000)), max_size=50))
def test_time_never_goes_back_nor_stands_still(steps: list[tuple[float, int]]) -> None:
    clock = SetClock()
    rising = RisingClock(clock, 0)
    began_us, began_s = rising.now_us(), clock.now_s
    last_us = began_us
    for passed_s, jump_us in steps:
        clock.now_s += passed_s
        clock.now_us += jump_us
        now_us = rising.now_us()
        assert now_us >= last_us
        last_us = now_us
    assert last_us - began_us >= (clock.now_s - began_s) * 1_000_000 - 2
