"""The command line."""

import argparse
import tempfile
from pathlib import Path

from benchmarks.comparison import LATENCIES, PIPELINES
from benchmarks.goals import LATENCY_SCENARIO
from benchmarks.rabbitmq import ClassicQueue, Stream
from benchmarks.schedules import command as schedules
from benchmarks.system import System
from benchmarks.tapemq_side import Batches, Records
from benchmarks.task import Scenario, Settings
from benchmarks.work import command as work

RESULTS = Path(__file__).parent / "results"
SYSTEMS: dict[str, System] = {
    system.name: system for system in (Records(), Batches(), ClassicQueue(), Stream())
}
SCENARIOS = {scenario.name: scenario for scenario in (*PIPELINES, *LATENCIES)}
QUICK = [Scenario(1024).name, LATENCY_SCENARIO.name]


def setting(text: str) -> tuple[str, int | str]:
    """A changed setting, NAME=VALUE."""
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, int(value) if value.isdecimal() else value


def parser() -> argparse.ArgumentParser:
    """The options of `python -m benchmarks`."""
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    made.description = "Measure TapeMQ and RabbitMQ side by side."
    kinds = made.add_subparsers(dest="command", metavar="[backlog|work|schedules]")
    backlog = kinds.add_parser("backlog", help="memory and start time with a large backlog")
    backlog.add_argument("--records", type=int, default=10_000_000, help="default: 10,000,000")
    queue = kinds.add_parser("work", help="a work queue: every record acked on its own")
    work.add_options(queue, RESULTS)
    later = kinds.add_parser("schedules", help="memory, disk and lateness of many schedules")
    schedules.add_options(later, RESULTS)
    for each in (made, backlog, queue, later):
        each.add_argument(
            "--directory",
            type=Path,
            default=Path(tempfile.gettempdir()),
            help="where the brokers' data goes; default: the system's temporary directory",
        )
    made.add_argument("--quick", action="store_true", help="a short smoke test of the benchmark")
    made.add_argument("--only", action="append", choices=SYSTEMS, help="may be repeated")
    made.add_argument("--scenario", action="append", choices=SCENARIOS, help="may be repeated")
    made.add_argument("--repetitions", type=int, help="default: 3")
    made.add_argument("--seconds", type=float, help="length of a run; default: 10")
    made.add_argument("--no-syncs", action="store_true", help="leave out the runs under strace")
    made.add_argument(
        "--set",
        action="append",
        default=[],
        type=setting,
        metavar="NAME=VALUE",
        help="change a client setting in all rows",
    )
    made.add_argument(
        "--json",
        type=Path,
        metavar="PATH",
        help="where the result goes, with a picture beside it; "
        "default: benchmarks/results/comparison.json, nowhere with --quick",
    )
    return made


def changed_settings(arguments: argparse.Namespace) -> Settings:
    """What --set changes."""
    return dict(arguments.set)


def result_path(arguments: argparse.Namespace) -> Path | None:
    """Where the result goes, None for nowhere."""
    path: Path | None = arguments.json
    return path or (None if arguments.quick else RESULTS / "comparison.json")
