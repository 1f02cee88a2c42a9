"""`tapemq peek`: look at records without leaving a trace."""

from typing import Annotated

import typer

from tapemq_broker.cli.arguments import START_HELP, Partition, Topic, read_start
from tapemq_broker.cli.command import command
from tapemq_broker.cli.commands.sub import OutputForm, print_records, read_form
from tapemq_broker.cli.connection import connected
from tapemq_broker.cli.options import DEFAULT_URL, Url
from tapemq_broker.cli.reading import Wish

Start = Annotated[str, typer.Option("--start", metavar="WHERE", help=START_HELP)]
Count = Annotated[int, typer.Option("--count", min=1, help="How many records.")]


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
    """Print some records of a topic. No group moves, and no topic comes into being."""
    form = read_form(output)
    place = read_start(start)
    async with connected(url) as client:
        await print_records(client, Wish(topic, None, place, partition, count, False), form)
