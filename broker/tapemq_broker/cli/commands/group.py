"""`tapemq group`: list, describe, move and delete groups."""

import asyncio
from typing import Annotated, Any

import typer

import tapemq
from tapemq_broker.cli.arguments import START_HELP, Group, Partition, Topic, read_start
from tapemq_broker.cli.command import command
from tapemq_broker.cli.confirmation import confirm
from tapemq_broker.cli.connection import connected
from tapemq_broker.cli.options import DEFAULT_URL, AsJson, Url, Yes
from tapemq_broker.cli.output import Output

OneTopic = Annotated[str | None, typer.Argument(metavar="TOPIC", help="Only groups of this topic.")]
To = Annotated[str, typer.Option("--to", metavar="WHERE", help=START_HELP)]
Hold = Annotated[bool, typer.Option(help="Let retention keep what the group has not read, or not.")]
Watch = Annotated[bool, typer.Option("--watch", help="Print it every second until interrupted.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="List, describe, move and delete groups.")
    for function in (ls, info, lag, seek, alter, rm):
        group.command(function.__name__)(function)
    app.add_typer(group, name="group")


@command
async def ls(topic: OneTopic = None, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List groups, of a topic or of all."""
    async with connected(url) as client:
        topics = await client.topics() if topic is None else [topic]
        rows = [
            _summary(await client.group(name, group))
            for name in topics
            for group in await client.groups(name)
        ]
        Output(as_json).rows(rows, empty="there are no groups; reading as a group makes one")


def _summary(group: tapemq.GroupInfo) -> dict[str, Any]:
    return {
        "topic": group.topic,
        "group": group.name,
        "kind": group.kind,
        "members": group.members,
        "lag": group.lag,
        "hold": group.hold,
    }


@command
async def info(topic: Topic, group: Group, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Describe a group: where it is in each partition, and who reads there."""
    async with connected(url) as client:
        found = await client.group(topic, group)
    parts = [_place(place) for place in found.partitions]
    output = Output(as_json)
    if output.as_json:
        output.row({**_summary(found), "partitions": parts})
    else:
        output.row(_summary(found))
        print()
        output.rows(parts)


def _place(place: tapemq.GroupPartition) -> dict[str, Any]:
    return {
        "partition": place.partition,
        "cursor": place.cursor,
        "lag": place.lag,
        "member": place.member or None,
        "commit_time": place.commit_time,
    }


@command
async def lag(
    topic: Topic,
    group: Group,
    watch: Watch = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Print how many records a group has still to read, by partition."""
    output = Output(as_json)
    async with connected(url) as client:
        while True:
            found = await client.group(topic, group)
            output.rows([_lag(place) for place in found.partitions])
            if not watch:
                return
            await asyncio.sleep(1)


def _lag(place: tapemq.GroupPartition) -> dict[str, Any]:
    return {"partition": place.partition, "cursor": place.cursor, "lag": place.lag}


@command
async def seek(
    topic: Topic,
    group: Group,
    to: To,
    partition: Partition = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Set where a group goes on, back or forth; its readers follow at once."""
    place = read_start(to)
    async with connected(url) as client:
        await client.seek_group(topic, group, place, partition=partition)


@command
async def alter(topic: Topic, group: Group, hold: Hold, url: Url = DEFAULT_URL) -> None:
    """Change the settings of a group."""
    async with connected(url) as client:
        await client.alter_group(topic, group, hold=hold)


@command
async def rm(topic: Topic, group: Group, yes: Yes = False, url: Url = DEFAULT_URL) -> None:
    """Forget a group and where it was. Its topic stays as it is."""
    async with connected(url) as client:
        await client.group(topic, group)
        confirm(f"Forget group {group} of topic {topic}?", yes)
        await client.delete_group(topic, group)
