"""`tapemq dead`: list, show, redrive and discard dead records of queue groups."""

import sys
from typing import Annotated, Any

import typer

from tapemq_broker.cli.arguments import Group, Partition, Topic, whole_number
from tapemq_broker.cli.command import command
from tapemq_broker.cli.confirmation import confirm
from tapemq_broker.cli.connection import connected
from tapemq_broker.cli.dead_records import DeadRecords, Selection, dead_row, history
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.options import DEFAULT_URL, AsJson, Url, Yes
from tapemq_broker.cli.output import Output
from tapemq_broker.cli.place import read_place
from tapemq_broker.cli.record_text import record_fields
from tapemq_broker.core.counting import counted

One = Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="Place of the record.")]
Some = Annotated[
    list[str] | None, typer.Argument(metavar="PARTITION:OFFSET", help="These records.")
]
All = Annotated[bool, typer.Option("--all", help="All dead records of the group.")]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="WORD", help="Those that died of it.")
]
Key = Annotated[str | None, typer.Option("--key", help="Those with this key.")]
Limit = Annotated[
    int | None,
    typer.Option("--limit", metavar="NUMBER", parser=whole_number(1), help="So many at most."),
]
Rate = Annotated[
    int | None,
    typer.Option(
        "--rate", metavar="NUMBER", parser=whole_number(1), help="So many a second; else at once."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how many it would be; change none.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        no_args_is_help=True, help="List, show, redrive and discard dead records of queue groups."
    )
    for function in (ls, show, redrive, discard):
        group.command(function.__name__)(function)
    app.add_typer(group, name="dead")


@command
async def ls(
    topic: Topic,
    group: Group,
    partition: Partition = None,
    reason: Reason = None,
    key: Key = None,
    limit: Limit = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List the records that a group does not deliver any more, and why."""
    output = Output(as_json)
    async with connected(url) as client:
        dead = DeadRecords(client, topic, group).listed(
            partition=partition, reason=reason, key=key, limit=limit
        )
        rows = [dead_row(entry, record) async for entry, record in dead]
    output.rows(rows, empty=f"group {group} of topic {topic} has no such dead records")


@command
async def show(
    topic: Topic, group: Group, place: One, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Print a dead record as it is in the topic, and its history in the group."""
    wanted = read_place(place)
    async with connected(url) as client:
        found = await DeadRecords(client, topic, group).one(wanted)
    if found is None:
        raise CommandError(
            f"the record at {wanted} is not dead in group {group}",
            f"list those that are: tapemq dead ls {topic} {group}",
        )
    entry, record = found
    fields = {"gone": True} if record is None else record_fields(record)
    Output(as_json).row(fields | history(entry))


@command
async def redrive(
    topic: Topic,
    group: Group,
    places: Some = None,
    every: All = False,
    reason: Reason = None,
    key: Key = None,
    rate: Rate = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Deliver dead records again, with new counters. On a terminal it asks first."""
    selection = _selection(places, every, reason, key)
    async with connected(url) as client:
        choices = await DeadRecords(client, topic, group).choices(selection)

        async def do(**options: Any) -> int:
            return sum([await client.redrive(topic, group, **c, **options) for c in choices])

        records = await do(dry_run=True)
        if records and not dry_run:
            dead = counted(records, "dead record")
            question = f"Deliver {dead} of topic {topic} to group {group} again?"
            confirm(question, yes or not sys.stdin.isatty())
            share = None if rate is None else max(1, rate // len(choices))
            records = await do(rate=share)
    Output(as_json).row(_done(topic, group, "redriven", records, dry_run))


@command
async def discard(
    topic: Topic,
    group: Group,
    places: Some = None,
    every: All = False,
    reason: Reason = None,
    key: Key = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Forget that records are dead: the group is done with them. The topic keeps them."""
    selection = _selection(places, every, reason, key)
    async with connected(url) as client:
        choices = await DeadRecords(client, topic, group).choices(selection)

        async def do(**options: Any) -> int:
            return sum([await client.discard(topic, group, **c, **options) for c in choices])

        records = await do(dry_run=True)
        if records and not dry_run:
            confirm(
                f"Let group {group} of topic {topic} forget {counted(records, 'dead record')}?", yes
            )
            records = await do()
    Output(as_json).row(_done(topic, group, "discarded", records, dry_run))


def _selection(
    places: list[str] | None, every: bool, reason: str | None, key: str | None
) -> Selection:
    selection = Selection(every, [read_place(text) for text in places or ()], reason, key)
    selection.check()
    return selection


def _done(topic: str, group: str, verb: str, records: int, dry_run: bool) -> dict[str, Any]:
    return {"topic": topic, "group": group, f"would_be_{verb}" if dry_run else verb: records}
