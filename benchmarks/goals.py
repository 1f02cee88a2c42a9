"""What TapeMQ is meant to reach, and whether the measured medians do."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.summary import OURS, Summaries, Summary
from benchmarks.task import Scenario

CLASSIC = "rabbitmq-classic"
STREAM = "rabbitmq-stream"
DISK_LOOP = "append+fdatasync"
DISK_MARGIN_MS = 0.6
LATENCY_SCENARIO = Scenario(1024, 1_000)
BATCHES = "tapemq-batches"
SPEED_RATIOS = {
    CLASSIC: {100: 30.0, 1024: 8.0, 65_536: 1.0},
    STREAM: {100: 2.5, 1024: 1.2, 65_536: 1.0},
}
FORMS = {CLASSIC: [OURS], STREAM: [OURS, BATCHES]}
"""The goals are for single records. The stream's client is given and gives many at a time, so the
batch form, which is like against like, stands beside them."""


@dataclass(frozen=True)
class Goal:
    """One goal and what was measured."""

    text: str
    measured: str
    met: bool


def goals(summaries: Summaries) -> list[Goal]:
    """The goals for which everything was measured."""
    return [*speed_goals(summaries), *latency_goals(summaries)]


def speed_goals(summaries: Summaries) -> Iterator[Goal]:
    """How many times as fast as each rival."""
    for rival, ratios in SPEED_RATIOS.items():
        for size_bytes, factor in ratios.items():
            theirs = summaries.find(Scenario(size_bytes), rival)
            for form in FORMS[rival]:
                ours = summaries.find(Scenario(size_bytes), form)
                if theirs and ours:
                    yield speed_goal(ours, theirs, factor)


def speed_goal(ours: Summary, theirs: Summary, factor: float) -> Goal:
    """One form beside one rival."""
    ratio = ours.records_per_s / theirs.records_per_s
    text = f"{ours.scenario.name}: {ours.system} at least {factor:g} times {theirs.system}"
    return Goal(text, f"{ratio:.2f} times", ratio >= factor)


def latency_goals(summaries: Summaries) -> Iterator[Goal]:
    """No worse than the classic queue, or near the floor that the disk sets."""
    rows = [summaries.find(LATENCY_SCENARIO, name) for name in (OURS, CLASSIC, DISK_LOOP)]
    if None in rows:
        return
    ours, classic, disk = (row.latency_ms["p99"] for row in rows if row)
    limit = max(classic, disk + DISK_MARGIN_MS)
    text = (
        f"{LATENCY_SCENARIO.name}: p99 at most {limit:.2f} ms, the larger of the classic queue's "
        f"{classic:.2f} and the disk loop's {disk:.2f} + {DISK_MARGIN_MS}"
    )
    yield Goal(text, f"{ours:.2f} ms", ours <= limit)
