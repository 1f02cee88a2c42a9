import pytest

from benchmarks.summary import Summaries, summarize
from benchmarks.task import Scenario
from tests.support.measurements import LATENCY, PIPELINE, latency, pipeline


def test_medians_and_range() -> None:
    runs = [pipeline("tapemq", rate, repetition=n) for n, rate in enumerate((500, 100, 300), 1)]
    summary = summarize(runs)
    assert (summary.slowest_per_s, summary.records_per_s, summary.fastest_per_s) == (100, 300, 500)
    assert summary.repetitions == 3
    assert summary.broker_cpu_s == 8.0
    assert summary.broker_peak_bytes == 2 * 2**20
    assert summary.megabytes_per_s == pytest.approx(0.03)


def test_medians_of_latencies_are_taken_one_by_one() -> None:
    assert summarize([latency("tapemq", p99) for p99 in (1.0, 9.0, 2.0)]).latency_ms == {
        "p50": 1.0,
        "p99": 2.0,
        "p99.9": 4.0,
        "max": 8.0,
    }


def test_ratios_are_ours_divided_by_theirs() -> None:
    summaries = Summaries(
        [
            pipeline("tapemq", 900),
            pipeline("rabbitmq-classic", 30),
            latency("tapemq", 1.0),
            latency("rabbitmq-classic", 4.0),
        ]
    )
    slow, late = summaries.find(PIPELINE, "rabbitmq-classic"), summaries.latencies()[1]
    assert slow
    assert summaries.speed_ratio(slow) == 30
    assert summaries.latency_ratio(late, "p99") == 0.25
    assert [each.system for each in summaries.pipelines()] == ["tapemq", "rabbitmq-classic"]


def test_no_ratio_without_our_row_in_the_same_scenario() -> None:
    summaries = Summaries([pipeline("rabbitmq-stream", 5), pipeline("tapemq", 9, Scenario(1024))])
    assert summaries.speed_ratio(summaries.pipelines()[0]) is None
    assert summaries.find(LATENCY, "tapemq") is None
