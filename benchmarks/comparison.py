"""The comparison: every system in every scenario, interleaved."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.document import Document
from benchmarks.goals import LATENCY_SCENARIO
from benchmarks.harness import DISK_LOOP, Plan, run_disk_loop, run_once
from benchmarks.machine import machine
from benchmarks.measurement import Measurement
from benchmarks.syncs import count_syncs
from benchmarks.system import System
from benchmarks.task import Scenario

PIPELINES = (Scenario(100), Scenario(1024), Scenario(65_536))
LATENCIES = (Scenario(1024, 100), LATENCY_SCENARIO, Scenario(1024, 10_000))
DISK_SCENARIOS = (Scenario(65_536), LATENCY_SCENARIO)
SYNC_SCENARIOS = (Scenario(1024), LATENCY_SCENARIO)
SYNC_SECONDS = 3.0

Step = TypeVar("Step")


@dataclass(frozen=True)
class Comparison:
    """What is compared, and how often."""

    systems: Sequence[System]
    scenarios: Sequence[Scenario]
    repetitions: int
    count_syncs: bool

    def runs(self) -> list[tuple[int, Scenario, System | None]]:
        """Every run in its order, None for the disk loop: all systems, then all again.

        Systems take turns within a scenario, so that a change in the machine's mood meets all.
        """
        return [
            (repetition, scenario, system)
            for repetition in range(1, self.repetitions + 1)
            for scenario in self.scenarios
            for system in self._takers(scenario)
        ]

    def sync_runs(self) -> list[tuple[Scenario, System]]:
        """The runs under strace."""
        if not self.count_syncs:
            return []
        return [
            (scenario, system)
            for scenario in SYNC_SCENARIOS
            if scenario in self.scenarios
            for system in self.systems
            if system.measures(scenario)
        ]

    def _takers(self, scenario: Scenario) -> list[System | None]:
        takers: list[System | None] = [each for each in self.systems if each.measures(scenario)]
        if scenario in DISK_SCENARIOS:
            takers.append(None)
        return takers


def compare(comparison: Comparison, plan: Plan) -> Document:
    """Make all runs, with progress on standard error."""
    document = empty_document(comparison, plan)
    for repetition, scenario, system in progress(comparison.runs()):
        say(f"{repetition}. {scenario.name}, {system.name if system else DISK_LOOP}: ")
        if system:
            run = run_once(system, scenario, plan, repetition)
        else:
            run = run_disk_loop(scenario, plan, repetition)
        document.runs.append(run)
        say(f"{outcome(run)}\n")
    sync_plan = Plan(min(plan.seconds, SYNC_SECONDS), plan.directory, plan.changed_settings)
    for scenario, system in progress(comparison.sync_runs()):
        say(f"syncs of {system.name}, {scenario.name}: ")
        count = count_syncs(system, scenario, sync_plan)
        document.syncs.append(count)
        say(f"{count.total:,}\n")
    return document


def empty_document(comparison: Comparison, plan: Plan) -> Document:
    """The document before the first run."""
    return Document(
        machine=machine(plan.directory),
        repetitions=comparison.repetitions,
        seconds=plan.seconds,
        titles={system.name: system.title for system in comparison.systems},
        versions={system.name: system.versions() for system in comparison.systems},
        settings={
            system.name: {
                scenario.name: {**system.settings(scenario), **plan.changed_settings}
                for scenario in comparison.scenarios
                if system.measures(scenario)
            }
            for system in comparison.systems
        },
    )


def outcome(run: Measurement) -> str:
    """A run in a few words."""
    if run.latency_ms:
        return ", ".join(f"{name} {value:.2f} ms" for name, value in run.latency_ms.items())
    return f"{run.records_per_s:,.0f} records/s"


def progress(steps: Sequence[Step]) -> Iterator[Step]:
    """Number the steps and estimate the time that is left."""
    begin = time.monotonic()
    for done, step in enumerate(steps):
        left_s = (time.monotonic() - begin) / done * (len(steps) - done) if done else 0
        left = f", about {left_s / 60:.0f} min left" if done else ""
        say(f"[{done + 1}/{len(steps)}{left}] ")
        yield step


def say(text: str) -> None:
    """Show progress."""
    print(text, end="", file=sys.stderr, flush=True)
