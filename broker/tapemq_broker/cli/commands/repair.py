"""`tapemq repair`: give up what is lost in a damaged log, and keep the rest."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tapemq_broker.cli.command import command
from tapemq_broker.cli.offline import committed_upto, opened
from tapemq_broker.cli.options import AsJson
from tapemq_broker.cli.output import Output
from tapemq_broker.server.clock import RealClock
from tapemq_broker.storage.repair import RepairReport
from tapemq_broker.storage.repair import repair as repair_log
from tapemq_broker.storage.repair_plan import Mode

LogPath = Annotated[
    Path, typer.Argument(metavar="LOG", help="Directory of the log, within its data directory.")
]
HowTo = Annotated[
    Mode,
    typer.Option(
        "--mode",
        help="truncate: keep what is in front of the damage. salvage: keep every sound batch, "
        "with a named gap for each hole.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without, it is only said what would be.")]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("repair")(repair)


@command
def repair(log: LogPath, mode: HowTo, yes: Yes = False, as_json: AsJson = False) -> None:
    """Repair a log that the broker refuses. What is taken out of it is kept aside.

    Keep a copy of the data directory first. Prints the offsets that are given up.
    """
    with opened(log, for_writing=True) as data:
        place = data.needs_place()
        report = repair_log(
            data.directory,
            place,
            mode,
            confirm=yes,
            now_us=RealClock().wall_us(),
            durable_floor=committed_upto(data.directory, place),
        )
    Output(as_json).rows(hole._asdict() for hole in report.holes)
    for aside in report.set_aside:
        print(f"kept aside: {data.root / aside.path}", file=sys.stderr)
    print(_verdict(report), file=sys.stderr)


def _verdict(report: RepairReport) -> str:
    ending = "" if report.is_done else "; to do it add --yes"
    if report.is_made_anew and not report.holes:
        verb = "was" if report.is_done else "would be"
        return f"nothing says what was in the log: an empty one {verb} made{ending}"
    if not report.holes and not report.set_aside:
        return "there is nothing to repair"
    verb = "were" if report.is_done else "would be"
    lost = sum(hole.to_offset - hole.from_offset for hole in report.holes)
    return f"{lost} offsets {verb} given up; the log goes on at {report.next_offset}{ending}"
