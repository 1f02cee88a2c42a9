import pytest

from benchmarks.goals import goals
from benchmarks.measurement import Measurement
from benchmarks.summary import Summaries
from benchmarks.task import Scenario
from tests.support.measurements import latency, pipeline


def met(*runs: Measurement) -> list[bool]:
    return [goal.met for goal in goals(Summaries(runs))]


@pytest.mark.parametrize(
    ("rival", "ours", "size_bytes", "factor"),
    [
        ("rabbitmq-classic", "tapemq", 100, 30),
        ("rabbitmq-classic", "tapemq", 1024, 8),
        ("rabbitmq-classic", "tapemq", 65_536, 1),
        ("rabbitmq-stream", "tapemq", 100, 2.5),
        ("rabbitmq-stream", "tapemq", 1024, 1.2),
        ("rabbitmq-stream", "tapemq", 65_536, 1),
        ("rabbitmq-stream", "tapemq-batches", 100, 2.5),
        ("rabbitmq-stream", "tapemq-batches", 1024, 1.2),
        ("rabbitmq-stream", "tapemq-batches", 65_536, 1),
    ],
)
def test_speed(rival: str, ours: str, size_bytes: int, factor: float) -> None:
    scenario = Scenario(size_bytes)
    theirs = pipeline(rival, 1_000, scenario)
    assert met(theirs, pipeline(ours, int(1_000 * factor), scenario)) == [True]
    assert met(theirs, pipeline(ours, int(1_000 * factor) - 1, scenario)) == [False]


@pytest.mark.parametrize(
    ("ours_ms", "classic_ms", "disk_ms", "expected"),
    [
        (1.6, 1.6, 0.4, True),
        (1.7, 1.6, 0.4, False),
        (1.7, 1.6, 1.1, True),
        (1.71, 1.6, 1.1, False),
    ],
)
def test_latency_limit_is_the_larger_one(
    ours_ms: float, classic_ms: float, disk_ms: float, expected: bool
) -> None:
    runs = [latency("tapemq", ours_ms), latency("rabbitmq-classic", classic_ms)]
    assert met(*runs, latency("append+fdatasync", disk_ms)) == [expected]


def test_no_goal_without_all_its_rows() -> None:
    assert met(pipeline("tapemq", 1), latency("tapemq", 1), latency("rabbitmq-classic", 1)) == []
