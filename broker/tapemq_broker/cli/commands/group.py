"""`tapemq group`: list, describe, explain, move, change and delete groups."""

import asyncio
import sys
from typing import Annotated, Any

import typer

import tapemq
from tapemq_broker.cli.arguments import START_HELP, Group, Partition, Topic, read_start
from tapemq_broker.cli.command import command
from tapemq_broker.cli.commands.queue_group import pause, resume, set_
from tapemq_broker.cli.confirmation import confirm
from tapemq_broker.cli.connection import connected
from tapemq_broker.cli.group_text import (
    lag_rows,
    place_rows,
    setting_row,
    setting_texts,
    stream_explanation,
)
from tapemq_broker.cli.options import DEFAULT_URL, AsJson, Url, Yes
from tapemq_broker.cli.output import Output, readable

OneTopic = Annotated[str | None, typer.Argument(metavar="TOPIC", help="Only groups of this topic.")]
To = Annotated[str, typer.Option("--to", metavar="WHERE", help=START_HELP)]
Hold = Annotated[bool, typer.Option(help="Let retention keep what the group has not read, or not.")]
Watch = Annotated[bool, typer.Option("--watch", help="Print it every second until interrupted.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="List, describe, change and delete groups.")
    for function in (ls, info, lag, explain, seek, alter, set_, pause, resume, rm):
        group.command(function.__name__.strip("_"))(function)
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
    """Describe a group: where it is in each partition, who reads there, how a queue is set."""
    async with connected(url) as client:
        found, queue = await _look(client, topic, group)
    head = _summary(found)
    parts = place_rows(found, queue)
    output = Output(as_json)
    if output.as_json:
        settings = {} if queue is None else setting_row(queue)
        output.row({**head, **settings, "partitions": parts})
    else:
        output.row(head | ({} if queue is None else setting_texts(queue)))
        print()
        output.rows(parts)


async def _look(
    client: tapemq.Client, topic: str, group: str
) -> tuple[tapemq.GroupInfo, tapemq.QueueInfo | None]:
    found = await client.group(topic, group)
    if found.kind != "queue":
        return found, None
    return found, await client.describe_queue(topic, group)


@command
async def lag(
    topic: Topic,
    group: Group,
    watch: Watch = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Print how many records a group has still to read, or to settle, by partition."""
    output = Output(as_json)
    async with connected(url) as client:
        while True:
            output.rows(lag_rows(*await _look(client, topic, group)))
            if not watch:
                return
            # In a pipe it would come when there is much of it; and who has gone is to be noticed.
            sys.stdout.flush()
            await asyncio.sleep(1)


@command
async def explain(
    topic: Topic, group: Group, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Say in words why a group is idle, or stuck."""
    async with connected(url) as client:
        found = await client.group(topic, group)
        queue = found.kind == "queue"
        why = await client.explain(topic, group) if queue else stream_explanation(found)
    output = Output(as_json)
    if output.as_json:
        output.row({"topic": topic, "group": group, "kind": found.kind, **why._asdict()})
        return
    print(f"{why.state.replace('_', ' ')}:")
    for sentence in why.sentences:
        print(f"  {readable(sentence)}")


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
