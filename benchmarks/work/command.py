"""The options of `python -m benchmarks work`."""

import argparse
import sys
from pathlib import Path

from benchmarks.harness import Plan
from benchmarks.work.report import GOALS, goal_table, result_table, write
from benchmarks.work.run import SYSTEMS, run_all


def add_options(parser: argparse.ArgumentParser, results: Path) -> None:
    """Describe the options."""
    parser.add_argument("--only", action="append", choices=SYSTEMS, help="may be repeated")
    parser.add_argument("--repetitions", type=int, default=3, help="default: 3")
    parser.add_argument("--seconds", type=float, default=10.0, help="of producing; default: 10")
    parser.add_argument(
        "--nack-every",
        type=int,
        action="append",
        help="nack every n-th record once; may be repeated; default: 0 (none) and 100",
    )
    parser.add_argument("--json", type=Path, default=results / "work.json", help="the file")


def main(arguments: argparse.Namespace, directory: Path) -> int:
    """Measure, print, write the file."""
    plan = Plan(arguments.seconds, directory, {})
    nacks = arguments.nack_every or list(GOALS)
    runs = run_all(arguments.only or list(SYSTEMS), nacks, arguments.repetitions, plan)
    print(result_table(runs), goal_table(runs), sep="\n\n")
    write(arguments.json, runs, directory)
    print(f"written: {arguments.json}", file=sys.stderr)
    return 0
