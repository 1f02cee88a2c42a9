"""The real clocks and the real randomness."""

from tapemq_broker.server.clock import RealClock, RealRandom


def test_time_does_not_go_back_and_is_of_this_century() -> None:
    clock = RealClock()
    first = clock.monotonic()
    assert clock.monotonic() >= first
    assert 1_700_000_000_000_000 < clock.wall_us() < 4_100_000_000_000_000


def test_ids_differ_and_fit() -> None:
    random = RealRandom()
    ids = {random.u64() for _ in range(100)}
    assert len(ids) == 100
    assert all(0 < number < 2**64 for number in ids)
    assert len(random.bytes(16)) == 16
