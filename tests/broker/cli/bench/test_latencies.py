import pytest

from tapemq_broker.cli.bench.latencies import Latencies


def noted(*durations_s: float) -> Latencies:
    latencies = Latencies()
    for duration_s in durations_s:
        latencies.add(duration_s)
    return latencies


def test_nothing_noted_has_no_percentiles() -> None:
    assert len(noted()) == 0
    assert set(noted().percentiles_ms().values()) == {None}


def test_percentiles_are_of_what_was_noted() -> None:
    latencies = noted(*(number / 1000 for number in reversed(range(1, 2001))))
    assert len(latencies) == 2000
    assert latencies.percentiles_ms() == {
        "p50_ms": 1000.0,
        "p99_ms": 1980.0,
        "p999_ms": 1998.0,
        "max_ms": 2000.0,
    }


def test_the_median_of_three_is_the_second() -> None:
    assert noted(0.003, 0.001, 0.002).percentiles_ms()["p50_ms"] == 2.0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_are_enough(count: int) -> None:
    found = noted(*[0.0015] * count).percentiles_ms()
    assert set(found.values()) == {1.5}
