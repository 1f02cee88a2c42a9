"""`tapemq peek`: look at records without leaving a trace."""

import sys
from typing import Annotated

import typer

import tapemq
from tapemq_broker.cli.arguments import START_HELP, Partition, Topic, read_start, whole_number
from tapemq_broker.cli.command import command
from tapemq_broker.cli.commands.sub import OutputForm, print_records, read_form
from tapemq_broker.cli.connection import connected
from tapemq_broker.cli.options import DEFAULT_URL, Url
from tapemq_broker.cli.reading import Wish
from tapemq_broker.cli.remaining import extent

Start = Annotated[str, typer.Option("--start", metavar="WHERE", help=START_HELP)]
Count = Annotated[
    int, typer.Option("--count", metavar="NUMBER", parser=whole_number(1), help="How many records.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("peek")(peek)


@command
async def peek(
    topic: Topic,
    start: Start = "earliest",
    count: Count = 10,
    partition: Partition = None,
    output: OutputForm = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Print some records of a topic. No group moves, and no topic comes into being.

    If there are none from the start on, it says which offsets there are.
    """
    form = read_form(output)
    place = read_start(start)
    async with connected(url) as client:
        printed = await print_records(
            client, Wish(topic, None, place, partition, count, False), form
        )
        if not printed:
            await _say_what_there_is(client, topic, partition)


async def _say_what_there_is(client: tapemq.Client, topic: str, partition: int | None) -> None:
    """So that nobody takes silence for a topic without records."""
    for part in await client.partitions(topic):
        if partition in (None, part.partition):
            print(f"nothing from there on: {extent(part)}", file=sys.stderr)
