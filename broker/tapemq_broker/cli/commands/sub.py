"""`tapemq sub`: read records."""

from typing import Annotated

import typer

import tapemq
from tapemq_broker.cli.arguments import (
    START_HELP,
    GroupOption,
    Partition,
    Topic,
    read_start,
    whole_number,
)
from tapemq_broker.cli.command import command
from tapemq_broker.cli.connection import connected
from tapemq_broker.cli.options import DEFAULT_URL, Url
from tapemq_broker.cli.output import on_terminal
from tapemq_broker.cli.printer import Printer
from tapemq_broker.cli.reading import Reading, Wish
from tapemq_broker.cli.record_text import FORMS, Form, record_line

Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="WHERE",
        help=f"{START_HELP} A group that has a position goes on there. Default: latest, and "
        "earliest with --no-follow.",
    ),
]
Count = Annotated[
    int | None,
    typer.Option(
        "--count", metavar="NUMBER", parser=whole_number(1), help="End after so many records."
    ),
]
Follow = Annotated[
    bool, typer.Option(help="Wait for more records, or end where the topic ends now.")
]
OutputForm = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="|".join(FORMS),
        help="Form of a record. Default: text on a terminal, else json.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("sub")(sub)


@command
async def sub(
    topic: Topic,
    group: GroupOption = None,
    start: Start = None,
    count: Count = None,
    follow: Follow = True,
    partition: Partition = None,
    output: OutputForm = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Print the records of a topic as they come: one line each.

    With a group, what was printed is committed, and the next reader of the group goes on there.
    """
    form = read_form(output)
    if group is not None and partition is not None:
        raise typer.BadParameter(
            "a group shares all partitions: only one of --group and --partition"
        )
    place = read_start(start or ("latest" if follow else "earliest"))
    async with connected(url) as client:
        await print_records(client, Wish(topic, group, place, partition, count, follow), form)


async def print_records(client: tapemq.Client, wish: Wish, form: Form) -> bool:
    """Read what is wished for, and print it; whether there was anything."""
    printer = Printer()
    try:
        await Reading(client, wish, lambda r: printer.print(record_line(r, form))).run()
    finally:
        printer.flush()
    return printer.has_printed


def read_form(text: str | None) -> Form:
    """The form that was asked for, else the one that fits standard output."""
    if text is None:
        return "text" if on_terminal() else "json"
    for form in FORMS:
        if text == form:
            return form
    raise typer.BadParameter(f"{text!r} is not one of: {', '.join(FORMS)}")
