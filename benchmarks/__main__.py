"""`python -m benchmarks`: see README.md beside this file."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import backlog
from benchmarks.comparison import Comparison, compare
from benchmarks.errors import BenchmarkError
from benchmarks.harness import Plan
from benchmarks.options import (
    QUICK,
    SCENARIOS,
    SYSTEMS,
    changed_settings,
    parser,
    result_path,
)
from benchmarks.picture import draw
from benchmarks.report import report
from benchmarks.schedules import command as schedules
from benchmarks.work import command as work


def comparison_of(arguments: argparse.Namespace) -> Comparison:
    """What the options ask for."""
    quick: bool = arguments.quick
    names = arguments.scenario or (QUICK if quick else SCENARIOS)
    return Comparison(
        systems=[SYSTEMS[name] for name in arguments.only or SYSTEMS],
        scenarios=[SCENARIOS[name] for name in names],
        repetitions=arguments.repetitions or (1 if quick else 3),
        count_syncs=not quick and not arguments.no_syncs,
    )


def run_comparison(arguments: argparse.Namespace, directory: Path) -> int:
    """Compare, print the tables and write the files."""
    seconds = arguments.seconds or (1.0 if arguments.quick else 10.0)
    plan = Plan(seconds, directory, changed_settings(arguments))
    document = compare(comparison_of(arguments), plan)
    print(report(document))
    path = result_path(arguments)
    if path:
        document.write(path)
        draw(document, path.with_suffix(".png"))
        print(f"written: {path} and {path.with_suffix('.png').name}", file=sys.stderr)
    return 0


def main() -> int:
    """Run the command; return the exit code."""
    arguments = parser().parse_args()
    # An end by SIGTERM, too, stops the brokers and removes their data.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.directory) as name:
            if arguments.command == "backlog":
                return backlog.main(arguments.records, Path(name))
            if arguments.command == "work":
                return work.main(arguments, Path(name))
            if arguments.command == "schedules":
                return schedules.main(arguments, Path(name))
            return run_comparison(arguments, Path(name))
    except BenchmarkError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
