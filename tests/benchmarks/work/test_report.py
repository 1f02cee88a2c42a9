"""Goals and tables of the work queue."""

from benchmarks.work.report import goal_table, rate_of, result_table
from benchmarks.work.run import WorkRun


def run(system: str, nack_every: int, records_per_s: int, repetition: int = 1) -> WorkRun:
    return WorkRun(
        system=system,
        nack_every=nack_every,
        repetition=repetition,
        records=records_per_s * 2,
        nacked=0,
        elapsed_s=2.0,
        broker_cpu_s=1.0,
        producer_cpu_s=0.5,
        consumer_cpu_s=1.0,
        other_cpu_s=0.0,
        broker_peak_bytes=2**20,
    )


RUNS = [
    run("tapemq", 0, 60_000),
    run("tapemq", 0, 59_000, 2),
    run("tapemq", 0, 90_000, 3),
    run("rabbitmq-classic", 0, 10_000),
    run("tapemq", 100, 49_000),
    run("rabbitmq-classic", 100, 10_000),
]


def test_the_median_counts() -> None:
    assert rate_of(RUNS, "tapemq", 0) == 60_000
    assert rate_of(RUNS, "tapemq", 7) is None
    assert "59,000-90,000" in result_table(RUNS)


def test_a_goal_is_met_or_missed_by_the_ratio_of_medians() -> None:
    lines = goal_table(RUNS).splitlines()
    assert [line.split()[-3:] for line in lines[-2:]] == [
        ["6.00", "times", "met"],
        ["4.90", "times", "MISSED"],
    ]
