"""The options of `python -m benchmarks schedules`."""

import argparse
import sys
from pathlib import Path

from benchmarks.schedules.report import goal_table, result_table, write
from benchmarks.schedules.run import measure


def add_options(parser: argparse.ArgumentParser, results: Path) -> None:
    """Describe the options."""
    parser.add_argument("--count", type=int, default=1_000_000, help="default: 1,000,000")
    parser.add_argument("--due", type=int, default=10_000, help="within 1 s; default: 10,000")
    parser.add_argument("--repetitions", type=int, default=1, help="default: 1")
    parser.add_argument("--json", type=Path, default=results / "schedules.json", help="the file")


def main(arguments: argparse.Namespace, directory: Path) -> int:
    """Measure, print, write the file."""
    runs = []
    for repetition in range(1, arguments.repetitions + 1):
        place = directory / str(repetition)
        place.mkdir()
        runs.append(measure(repetition, arguments.count, arguments.due, place))
    print(result_table(runs), goal_table(runs), sep="\n\n")
    write(arguments.json, runs, directory)
    print(f"written: {arguments.json}", file=sys.stderr)
    return 0
