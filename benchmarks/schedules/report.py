"""The result of the schedules: figures, goals, and the file."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from sqlite3 import sqlite_version
from statistics import median
from typing import Final

from benchmarks.machine import machine
from benchmarks.report import MIB, table
from benchmarks.schedules.client import IN_FLIGHT, VALUE_BYTES
from benchmarks.schedules.run import ScheduleRun, Start

GROWTH_LIMIT_MIB: Final = 64
LATE_LIMIT_MS: Final = 250


def settings() -> dict[str, str | int]:
    """What explains the figures beside the machine."""
    return {
        "in_flight": IN_FLIGHT,
        "value_bytes": VALUE_BYTES,
        "tapemq": version("tapemq"),
        "sqlite": sqlite_version,
        "uvloop": version("uvloop"),
    }


def result_table(runs: Sequence[ScheduleRun]) -> str:
    """Each repetition in a row."""
    head = ("repetition", "made/s", "broker CPU us each", "client", "other s", "log B each",
            "index B each", "look s", "count ms, few", "many", "clean start s",
            "killed")  # fmt: skip
    title = f"{runs[0].count:,} schedules of {VALUE_BYTES} B, {IN_FLIGHT:,} calls at a time"
    return table(f"{title} ({_versions()})", head, [_row(run) for run in runs])


def _versions() -> str:
    return ", ".join(f"{name} {value}" for name, value in settings().items())


def _row(run: ScheduleRun) -> list[str]:
    return [
        str(run.repetition),
        f"{run.count / run.make_s:,.0f}",
        f"{run.broker_cpu_s / run.count * 1e6:.1f}",
        f"{run.client_cpu_s / run.count * 1e6:.1f}",
        f"{run.other_cpu_s:.1f}",
        f"{run.log_bytes / run.count:.0f}",
        f"{run.index_bytes / run.count:.0f}",
        f"{run.inspect_s:.1f}",
        f"{run.few_count_ms:.2f}",
        f"{run.count_ms:.2f}",
        _start(run.clean_start),
        _start(run.killed_start),
    ]


def _start(start: Start) -> str:
    return f"{start.ready_s:.2f} / {start.answered_s:.2f}"


def goal_table(runs: Sequence[ScheduleRun]) -> str:
    """The worst of all repetitions beside what was to be reached."""
    growth_mib = max(run.growth_bytes for run in runs) / MIB
    early = sum(run.lateness.early for run in runs)
    late_ms = max(run.lateness.max_ms for run in runs)
    usual = [median(getattr(run.lateness, name) for run in runs) for name in ("p50_ms", "p99_ms")]
    due = f"{runs[0].due:,} due within 1 s"
    rows = [
        _goal("peak memory grows", f"{growth_mib:.1f} MiB", growth_mib < GROWTH_LIMIT_MIB,
              f"below {GROWTH_LIMIT_MIB} MiB"),
        _goal(f"{due}: early", str(early), early == 0, "none"),
        _goal(f"{due}: latest", f"{late_ms:.0f} ms", late_ms <= LATE_LIMIT_MS,
              f"at most {LATE_LIMIT_MS} ms"),
        [f"{due}: p50, p99", f"{usual[0]:.0f}, {usual[1]:.0f} ms", "", ""],
    ]  # fmt: skip
    return table("Goals (the worst of all repetitions)", ("", "measured", "goal", ""), rows)


def _goal(what: str, measured: str, is_met: bool, goal: str) -> list[str]:
    return [what, measured, goal, "met" if is_met else "MISSED"]


def write(path: Path, runs: Sequence[ScheduleRun], directory: Path) -> None:
    """Write everything as JSON."""
    document = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(directory),
        "settings": settings(),
        "runs": [asdict(run) for run in runs],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
