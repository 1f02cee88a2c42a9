"""Counts a broker's syncs from outside, with strace, in a run of its own."""

import re
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.errors import BenchmarkError
from benchmarks.harness import Plan, run_once
from benchmarks.measurement import SyncCount
from benchmarks.system import System
from benchmarks.task import Scenario

CALLS = ("fsync", "fdatasync", "syncfs", "sync", "sync_file_range", "msync")
LINE = re.compile(r"^\d+ +(?P<time>\d+\.\d+) (?P<call>\w+)\(")


def strace(output: Path) -> list[str]:
    """The command that starts another one and writes down its syncs, with the time of each.

    The filter in the kernel (--seccomp-bpf) keeps strace away from all other calls.
    """
    filters = ["--seccomp-bpf", "-e", f"trace={','.join(CALLS)}", "-e", "signal=none"]
    return ["strace", "-f", "-qq", "-ttt", *filters, "-o", str(output)]


def count_calls(lines: Iterable[str], start_s: float, end_s: float) -> dict[str, int]:
    """Calls by name between two times, in seconds since the epoch.

    A call that strace shows in two parts counts once, by its beginning.
    """
    found = (match for line in lines if (match := LINE.match(line)))
    return dict(Counter(m["call"] for m in found if start_s <= float(m["time"]) <= end_s))


def count_syncs(system: System, scenario: Scenario, plan: Plan) -> SyncCount:
    """Run one scenario under strace and count the broker's syncs from its start to its end.

    Starting the broker, subscribing and stopping are not in the figure.
    """
    if not shutil.which("strace"):
        raise BenchmarkError("strace is missing; install it, or leave this out with --no-syncs")
    with TemporaryDirectory(dir=plan.directory) as directory:
        output = Path(directory) / "strace"
        run = run_once(system, scenario, plan, wrapper=strace(output))
        lines = output.read_text().splitlines()
    calls = count_calls(lines, run.started_at_s, run.started_at_s + run.elapsed_s)
    return SyncCount(system.name, scenario, run.records, run.elapsed_s, calls)
