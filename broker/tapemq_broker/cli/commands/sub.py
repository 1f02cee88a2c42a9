"""`tapemq sub`: read records."""

from contextlib import suppress
from typing import Annotated

import typer

import tapemq
from tapemq_broker.cli.arguments import (
    START_HELP,
    GroupOption,
    Partition,
    Topic,
    group_name,
    read_start,
    whole_number,
)
from tapemq_broker.cli.command import command
from tapemq_broker.cli.connection import connected
from tapemq_broker.cli.options import DEFAULT_URL, Url
from tapemq_broker.cli.output import on_terminal
from tapemq_broker.cli.printer import Printer
from tapemq_broker.cli.queue_reading import KEPT_MAX, QueueReading, QueueWish
from tapemq_broker.cli.reading import Reading, Wish
from tapemq_broker.cli.record_text import FORMS, Form, record_line

Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="WHERE",
        help=f"{START_HELP} A group that has a position goes on there. Default: latest, and "
        "earliest with --no-follow and --queue.",
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
InQueue = Annotated[
    str | None,
    typer.Option(
        "--queue",
        metavar="GROUP",
        callback=group_name,
        help="Take messages of a queue group; each is acked once it is printed.",
    ),
]
Ack = Annotated[
    bool,
    typer.Option(
        help=f"With --queue: ack, or give all back at the end; then {KEPT_MAX:,} at most."
    ),
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
    queue: InQueue = None,
    ack: Ack = True,
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
    if (group is not None) + (queue is not None) + (partition is not None) > 1:
        raise typer.BadParameter(
            "a group shares all partitions: only one of --group, --queue and --partition"
        )
    if not ack and queue is None:
        raise typer.BadParameter("--no-ack needs --queue")
    place = read_start(start or ("latest" if follow and queue is None else "earliest"))
    async with connected(url) as client:
        if queue is not None:
            await _print_messages(client, QueueWish(topic, queue, place, count, follow, ack), form)
            return
        await print_records(client, Wish(topic, group, place, partition, count, follow), form)


async def print_records(client: tapemq.Client, wish: Wish, form: Form) -> bool:
    """Read what is wished for, and print it; whether there was anything."""
    printer = Printer()
    try:
        await Reading(
            client, wish, lambda r: printer.print(record_line(r, form)), printer.flush
        ).run()
    except Exception:
        with suppress(OSError):
            await printer.flush()
        raise
    await printer.flush()
    return printer.has_printed


async def _print_messages(client: tapemq.Client, wish: QueueWish, form: Form) -> None:
    printer = Printer()
    await QueueReading(
        client, wish, lambda r: printer.print(record_line(r, form)), printer.flush
    ).run()


def read_form(text: str | None) -> Form:
    """The form that was asked for, else the one that fits standard output."""
    if text is None:
        return "text" if on_terminal() else "json"
    for form in FORMS:
        if text == form:
            return form
    raise typer.BadParameter(f"{text!r} is not one of: {', '.join(FORMS)}")
