"""`tapemq verify`: check every byte of a data directory that no broker uses."""

import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import typer

from tapemq_broker.cli.command import command
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.exits import Exit
from tapemq_broker.cli.offline import DataPath, committed_upto, known_logs, opened
from tapemq_broker.cli.options import AsJson
from tapemq_broker.cli.output import Output
from tapemq_broker.cli.progress import ProgressBar
from tapemq_broker.cli.sense import senseless
from tapemq_broker.storage.directory import CATALOG_PATH, DataDirectory
from tapemq_broker.storage.errors import pasteable
from tapemq_broker.storage.verify import Problem
from tapemq_broker.storage.verify import verify as problems_of


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("verify")(verify)


@command
def verify(path: DataPath = None, as_json: AsJson = False) -> None:
    """Check every byte, and that it makes sense. Changes nothing.

    Exits with 4 if something is damaged, or not to be understood by this version.
    """
    with opened(path) as data:
        if data.place is not None:
            advice = f"name the data directory: tapemq verify {data.root}"
            raise CommandError("only whole data directories are verified", advice, Exit.USAGE)
        with ProgressBar("checking", _size_bytes(data.directory), "bytes") as bar:
            known = known_logs(data.directory)
            floor = partial(committed_upto, data.directory)
            found = list(problems_of(data.directory, bar.advance, known, floor))
            damaged = {problem.log for problem in found if not problem.is_harmless}
            found += senseless(data.directory, damaged)
        with suppress(BrokenPipeError):  # the exit code tells it, whoever reads the rest
            Output(as_json).rows(_row(problem, data.root) for problem in found)
    if CATALOG_PATH in damaged:
        print("the catalog is damaged: nothing tells which logs are missing", file=sys.stderr)
    count = sum(not problem.is_harmless for problem in found)
    print(f"{count or 'nothing'} damaged in {data.root}", file=sys.stderr)
    if count:
        raise typer.Exit(Exit.DAMAGE)


def _row(problem: Problem, data_dir: Path) -> dict[str, Any]:
    advice = pasteable(problem.advice, problem.log, str(data_dir))
    return {**problem._asdict(), "log": problem.log or None, "advice": advice}


def _size_bytes(directory: DataDirectory) -> int:
    size_bytes = 0
    for place in directory.logs():
        with suppress(OSError):  # what cannot be read is found, and said, later
            for name in directory.disk.list_directory(place.path):
                if name.endswith(".log"):
                    size_bytes += directory.disk.size_bytes(f"{place.path}/{name}") or 0
    return size_bytes
