"""`tapemq topic`: list, create, describe, alter and delete topics."""

import asyncio
from typing import Annotated, Any, Final

import typer

import tapemq
from tapemq_broker.cli.arguments import Topic, read_seconds, read_size, whole_number
from tapemq_broker.cli.command import command
from tapemq_broker.cli.confirmation import confirm
from tapemq_broker.cli.connection import connected
from tapemq_broker.cli.options import DEFAULT_URL, AsJson, Url, Yes
from tapemq_broker.cli.output import Output
from tapemq_broker.core.counting import counted

_AT_ONCE: Final = 16

Partitions = Annotated[
    int | None,
    typer.Option(
        "--partitions", metavar="NUMBER", parser=whole_number(1), help="How many partitions."
    ),
]
RetentionAge = Annotated[
    str | None,
    typer.Option("--retention-age", metavar="DURATION", help="Records this old go; 0: never."),
]
RetentionBytes = Annotated[
    str | None,
    typer.Option("--retention-bytes", metavar="SIZE", help="A partition is cut to it; 0: never."),
]
SegmentBytes = Annotated[
    str | None,
    typer.Option("--segment-bytes", metavar="SIZE", help="Size of a file; 0: the broker's."),
]

Ttl = Annotated[
    str | None,
    typer.Option(
        "--ttl", metavar="DURATION", help="Queues hand nothing out that is as old; 0: all."
    ),
]

MaxRecords = Annotated[
    int | None,
    typer.Option(
        "--max-records",
        metavar="NUMBER",
        parser=whole_number(0),
        help="A partition takes no more than that; 0: any number.",
    ),
]
MaxBytes = Annotated[
    str | None,
    typer.Option(
        "--max-bytes", metavar="SIZE", help="A partition takes no more than that; 0: any size."
    ),
]
Overflow = Annotated[
    str | None,
    typer.Option(
        "--overflow", metavar="refuse|drop_oldest", help="What becomes of what is too much."
    ),
]
Priorities = Annotated[
    int | None,
    typer.Option(
        "--priorities",
        metavar="LEVELS",
        parser=whole_number(2, 10),
        help="So many levels, 2 to 10, each with its own partitions; queues do the highest first.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="List, create, alter and delete topics.")
    for function in (ls, create, info, alter, rm):
        group.command(function.__name__)(function)
    app.add_typer(group, name="topic")


@command
async def ls(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List all topics, with what they hold."""
    async with connected(url) as client:
        names = await client.topics()
        rows = []
        for first in range(0, len(names), _AT_ONCE):
            some = names[first : first + _AT_ONCE]
            rows += await asyncio.gather(*(_summary(client, name) for name in some))
        Output(as_json).rows(rows, empty="there are no topics; tapemq topic create makes one")


async def _summary(client: tapemq.Client, name: str) -> dict[str, Any]:
    partitions = await client.partitions(name)
    return {
        "topic": name,
        "partitions": len(partitions),
        "records": sum(part.visible_offset - part.first_offset for part in partitions),
        "size_bytes": sum(part.size_bytes for part in partitions),
    }


@command
async def create(
    topic: Topic,
    partitions: Partitions = None,
    priorities: Priorities = None,
    retention_age: RetentionAge = None,
    retention_bytes: RetentionBytes = None,
    segment_bytes: SegmentBytes = None,
    ttl: Ttl = None,
    max_records: MaxRecords = None,
    max_bytes: MaxBytes = None,
    overflow: Overflow = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Create a topic. It has one partition (of each priority) unless said otherwise."""
    settings = {
        **_settings(retention_age, retention_bytes, segment_bytes, ttl),
        **_length(max_records, max_bytes, overflow),
        **({} if priorities is None else {"priorities": priorities}),
    }
    async with connected(url) as client:
        Output(as_json).row(_row(await client.create_topic(topic, partitions or 1, **settings)))


@command
async def alter(
    topic: Topic,
    partitions: Partitions = None,
    retention_age: RetentionAge = None,
    retention_bytes: RetentionBytes = None,
    segment_bytes: SegmentBytes = None,
    ttl: Ttl = None,
    max_records: MaxRecords = None,
    max_bytes: MaxBytes = None,
    overflow: Overflow = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Change what is given. There can be more partitions later, never fewer."""
    settings = {
        **_settings(retention_age, retention_bytes, segment_bytes, ttl),
        **_length(max_records, max_bytes, overflow),
    }
    if not settings and partitions is None:
        raise typer.BadParameter("nothing to change was given")
    async with connected(url) as client:
        changed = await client.alter_topic(topic, partitions=partitions, **settings)
        Output(as_json).row(_row(changed))


def _settings(
    age: str | None, retention: str | None, segment: str | None, ttl: str | None
) -> dict[str, int]:
    given = (
        ("retention_age_s", age, read_seconds),
        ("retention_bytes", retention, read_size),
        ("segment_bytes", segment, read_size),
        ("ttl_s", ttl, read_seconds),
    )
    return {name: read(text) for name, text, read in given if text is not None}


def _length(
    max_records: int | None, max_bytes: str | None, overflow: str | None
) -> dict[str, int | str]:
    size_bytes = None if max_bytes is None else read_size(max_bytes)
    given = {"max_records": max_records, "max_bytes": size_bytes, "overflow": overflow}
    return {name: value for name, value in given.items() if value is not None}


@command
async def info(topic: Topic, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Describe a topic and its partitions."""
    async with connected(url) as client:
        described = await client.topic(topic)
        row = _row(described)
        levels = described.priorities
        parts = [_partition(part, levels) for part in await client.partitions(topic)]
    output = Output(as_json)
    if output.as_json:
        output.row({**row, "partitions": parts})
    else:
        output.row(row)
        print()
        output.rows(parts)


def _row(topic: tapemq.TopicInfo) -> dict[str, Any]:
    return {
        "topic": topic.name,
        "topic_id": f"{topic.topic_id:016x}",
        "partitions": topic.partitions,
        "version": topic.version,
        **topic.settings,
    }


def _partition(part: tapemq.PartitionInfo, levels: int) -> dict[str, Any]:
    return {
        "partition": part.partition,
        **({"priority": part.partition % levels} if levels > 1 else {}),
        "first_offset": part.first_offset,
        "durable_offset": part.durable_offset,
        "next_offset": part.next_offset,
        "size_bytes": part.size_bytes,
        "dropped": part.dropped,
        "last_append_time": part.last_append_time,
    }


@command
async def rm(topic: Topic, yes: Yes = False, url: Url = DEFAULT_URL) -> None:
    """Delete a topic with all its records and groups."""
    async with connected(url) as client:
        records = (await _summary(client, topic))["records"]
        confirm(f"Delete topic {topic} with {counted(records, 'record')} for ever?", yes)
        await client.delete_topic(topic)
