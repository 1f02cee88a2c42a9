from tapemq._clock import Clock


def test_wall_time_is_in_microseconds_since_1970() -> None:
    assert 1_700_000_000 < Clock().wall_us() / 1e6 < 10_000_000_000


def test_fraction_is_below_one() -> None:
    assert all(0 <= Clock().fraction() < 1 for _ in range(100))


def test_tokens_differ() -> None:
    tokens = {Clock().token() for _ in range(50)}
    assert len(tokens) == 50
    assert {len(token) for token in tokens} == {8}


def test_monotonic_time_does_not_go_back() -> None:
    times = [Clock().monotonic() for _ in range(100)]
    assert times == sorted(times)
