"""The result of the work queue: medians, goals, and the file."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.machine import machine
from benchmarks.report import MIB, Row, table
from benchmarks.work.run import CONSUMERS, PROCESSES, SCENARIO, WorkRun, to_json

OURS: Final = "tapemq"
RIVAL: Final = "rabbitmq-classic"
GOALS: Final = {0: 6.0, 100: 5.0}
"""How many times the rival, by how often a record is nacked once."""


def rate_of(runs: Sequence[WorkRun], system: str, nack_every: int) -> float | None:
    """Median rate, records/s; None if it was not measured."""
    rates = [r.records_per_s for r in runs if (r.system, r.nack_every) == (system, nack_every)]
    return median(rates) if rates else None


def result_table(runs: Sequence[WorkRun]) -> str:
    """Medians of all runs."""
    keys = list(dict.fromkeys((run.nack_every, run.system) for run in runs))
    rows = [_row([run for run in runs if (run.nack_every, run.system) == key]) for key in keys]
    head = ("work queue", "records/s", "range", "broker CPU us/record", "producer", "consumers",
            "other s", "peak MiB")  # fmt: skip
    title = f"1 producer, {PROCESSES * CONSUMERS} consumers in {PROCESSES} processes, "
    return table(f"{title}{SCENARIO.name}, each record acked on its own", head, rows)


def _row(runs: Sequence[WorkRun]) -> Row:
    rates = [run.records_per_s for run in runs]
    nacks = f"1 of {runs[0].nack_every} nacked once" if runs[0].nack_every else "no nacks"
    us = [
        median(seconds / run.records * 1e6 for run, seconds in zip(runs, each, strict=True))
        for each in (
            [run.broker_cpu_s for run in runs],
            [run.producer_cpu_s for run in runs],
            [run.consumer_cpu_s for run in runs],
        )
    ]
    return [
        f"{nacks}: {runs[0].system}",
        f"{median(rates):,.0f}",
        f"{min(rates):,.0f}-{max(rates):,.0f}",
        *(f"{value:.1f}" for value in us),
        f"{median(run.other_cpu_s for run in runs):.1f}",
        f"{median(run.broker_peak_bytes for run in runs) / MIB:.0f}",
    ]


def goal_table(runs: Sequence[WorkRun]) -> str:
    """What was to be reached, as far as it was measured."""
    rows = []
    for nack_every, factor in GOALS.items():
        ours, rival = (rate_of(runs, name, nack_every) for name in (OURS, RIVAL))
        if ours and rival:
            what = "1 % nacked once" if nack_every else "no nacks"
            met = "met" if ours >= factor * rival else "MISSED"
            text = f"{what}: at least {factor:g} times {RIVAL}"
            rows.append([text, f"{ours / rival:.2f} times", met])
    return table("Goals", ("goal", "measured", ""), rows)


def write(path: Path, runs: Sequence[WorkRun], directory: Path) -> None:
    """Write everything as JSON."""
    taken_at = datetime.now(UTC).isoformat(timespec="seconds")
    document = {
        "taken_at": taken_at,
        "machine": machine(directory),
        "runs": [to_json(run) for run in runs],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
