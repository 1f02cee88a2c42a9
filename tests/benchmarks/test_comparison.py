from benchmarks.comparison import DISK_SCENARIOS, LATENCIES, PIPELINES, Comparison
from benchmarks.rabbitmq import ClassicQueue, Stream
from benchmarks.tapemq_side import Batches, Records
from benchmarks.task import Scenario

SYSTEMS = (Records(), Batches(), ClassicQueue(), Stream())


def names(comparison: Comparison) -> list[tuple[int, str, str]]:
    return [
        (repetition, scenario.name, system.name if system else "disk")
        for repetition, scenario, system in comparison.runs()
    ]


def test_systems_take_turns_in_each_repetition() -> None:
    comparison = Comparison(SYSTEMS[2:], [Scenario(100), Scenario(1024)], 2, False)
    one = [
        (size, system)
        for size in ("100 B", "1 KiB")
        for system in ("rabbitmq-classic", "rabbitmq-stream")
    ]
    assert names(comparison) == [(number, *each) for number in (1, 2) for each in one]


def test_batch_form_is_measured_at_full_speed_only() -> None:
    comparison = Comparison(SYSTEMS, [*PIPELINES, *LATENCIES], 1, True)
    batches = [scenario for _, scenario, system in names(comparison) if system == "tapemq-batches"]
    assert batches == [scenario.name for scenario in PIPELINES]
    assert len(comparison.sync_runs()) == 7


def test_disk_loop_runs_once_in_its_scenarios() -> None:
    comparison = Comparison(SYSTEMS[:1], [*PIPELINES, *LATENCIES], 1, False)
    disk = [scenario for _, scenario, system in names(comparison) if system == "disk"]
    assert disk == [scenario.name for scenario in DISK_SCENARIOS]
    assert comparison.sync_runs() == []
