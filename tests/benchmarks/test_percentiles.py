import pytest

from benchmarks.percentiles import latencies_ns, percentile, quantiles_ms

MS = 1_000_000


@pytest.mark.parametrize(
    ("quantile", "expected"),
    [(0.0, 1), (0.5, 50), (0.99, 99), (0.991, 100), (0.999, 100), (1.0, 100)],
)
def test_nearest_rank(quantile: float, expected: int) -> None:
    assert percentile(range(1, 101), quantile) == expected


def test_percentile_of_one() -> None:
    assert percentile([7.0], 0.5) == percentile([7.0], 0.999) == 7.0


def test_latency_counts_from_the_planned_time() -> None:
    # One record each millisecond; each arrives one millisecond later than the one before it.
    arrivals_ns = [5 * MS + 2 * number * MS for number in range(1_000)]
    measured_ns = latencies_ns(arrivals_ns, 4 * MS, 1_000)
    assert measured_ns == [number * MS for number in range(1, 1_001)]
    assert quantiles_ms(measured_ns, 0) == {"p50": 500, "p99": 990, "p99.9": 999, "max": 1000}


def test_the_first_ones_are_left_out() -> None:
    measured_ns = [(900 if number < 50 else 3) * MS for number in range(100)]
    assert quantiles_ms(measured_ns, 50)["max"] == 3
    assert quantiles_ms(measured_ns, 49)["max"] == 900


def test_the_last_one_is_never_left_out() -> None:
    assert quantiles_ms([3 * MS], 10)["p50"] == 3
