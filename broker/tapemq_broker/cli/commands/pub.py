"""`tapemq pub`: publish records."""

import sys
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

import tapemq
from tapemq.batch.limits import RECORD_BYTES_MAX
from tapemq_broker.cli.arguments import (
    Partition,
    Topic,
    as_given,
    duration,
    read_headers,
    read_seconds,
    read_time,
    whole_number,
)
from tapemq_broker.cli.blocked import explained
from tapemq_broker.cli.command import command
from tapemq_broker.cli.connection import connected
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.exits import Exit
from tapemq_broker.cli.line_reader import LineTooLong, read_lines
from tapemq_broker.cli.options import DEFAULT_URL, AsJson, Url
from tapemq_broker.cli.output import Output
from tapemq_broker.cli.progress import ProgressBar
from tapemq_broker.core.counting import agreeing, counted

Value = Annotated[
    str | None, typer.Argument(metavar="VALUE", help="The value; without it, or -, lines are read.")
]
Key = Annotated[str | None, typer.Option("--key", help="Key of the records.")]
Headers = Annotated[
    list[str] | None, typer.Option("--header", metavar="NAME=VALUE", help="A header; repeatable.")
]
Count = Annotated[
    int,
    typer.Option(
        "--count", metavar="NUMBER", parser=whole_number(1), help="Publish the value so many times."
    ),
]
File = Annotated[
    Path | None, typer.Option("--file", dir_okay=False, help="The file's content is the value.")
]
Delay = Annotated[
    int | None,
    typer.Option(
        "--delay", metavar="DURATION", parser=read_seconds, help="Publish it then: 90, or 2h."
    ),
]
At = Annotated[
    datetime | None,
    typer.Option(
        "--at",
        metavar="TIME",
        parser=read_time,
        help="Or at a time: 2026-01-31T08:00Z; without a zone it is that of this machine.",
    ),
]
ScheduleKey = Annotated[
    str | None,
    typer.Option("--schedule-key", help="Replace what is to come under this name."),
]
Tombstone = Annotated[bool, typer.Option("--tombstone", help="Publish no value, for the key.")]

Ttl = Annotated[
    float | None,
    typer.Option(
        "--ttl", metavar="DURATION", parser=duration, help="Queues hand it out no later than that."
    ),
]
Priority = Annotated[
    int,
    typer.Option(
        "--priority",
        metavar="0-9",
        parser=whole_number(0, 9),
        help="9 is the highest; for a topic that has priorities.",
    ),
]


class Envelope(NamedTuple):
    """What all records of a call have in common."""

    topic: str
    key: str | bytes | None
    headers: Mapping[str, tapemq.Scalar]
    partition: int | None
    ttl: float | None
    priority: int


class Later(NamedTuple):
    """When a record is to come into its topic."""

    delay: int | None
    at: datetime | None
    schedule_key: str | bytes | None


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("pub")(pub)


@command
async def pub(
    topic: Topic,
    value: Value = None,
    key: Key = None,
    header: Headers = None,
    count: Count = 1,
    file: File = None,
    tombstone: Tombstone = False,
    partition: Partition = None,
    ttl: Ttl = None,
    priority: Priority = 0,
    delay: Delay = None,
    at: At = None,
    schedule_key: ScheduleKey = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Publish a value, a file, or each line of standard input.

    Prints the receipt of one record, or how many there were, once all are on the broker's disk.
    """
    given = _value(value, file, tombstone, key)
    headers = read_headers(header or ())
    if count > 1 and isinstance(given, Lines):
        raise CommandError("with --count, give the one record as VALUE", code=Exit.USAGE)
    envelope = Envelope(topic, key and as_given(key), headers, partition, ttl, priority)
    later = _later(delay, at, schedule_key, one=count == 1 and not isinstance(given, Lines))
    output = Output(as_json)
    async with connected(url) as client, explained(client, topic):
        if isinstance(given, Lines):
            output.row(await _publish_all(client, envelope, read_lines(sys.stdin.fileno())))
        elif later is not None:
            output.row(await _schedule_one(client, envelope, given, later))
        elif count == 1:
            output.row(await _publish_one(client, envelope, given))
        else:
            output.row(await _publish_all(client, envelope, _repeat(given, count), count))


def _later(
    delay: int | None, at: datetime | None, schedule_key: str | None, *, one: bool
) -> Later | None:
    if delay is None and at is None:
        if schedule_key is not None:
            raise CommandError("--schedule-key needs --delay or --at", code=Exit.USAGE)
        return None
    if delay is not None and at is not None:
        raise CommandError("only one of --delay and --at can be given", code=Exit.USAGE)
    if not one:
        raise CommandError("with --delay and --at, give the one record as VALUE", code=Exit.USAGE)
    return Later(delay, at, schedule_key and as_given(schedule_key))


class Lines(NamedTuple):
    """The values are lines of standard input."""


def _value(
    value: str | None, file: Path | None, tombstone: bool, key: str | None
) -> bytes | Lines | None:
    if (value is not None) + (file is not None) + tombstone > 1:
        raise CommandError(
            "only one of VALUE, --file and --tombstone can be given", code=Exit.USAGE
        )
    if tombstone:
        if key is None:
            raise CommandError("--tombstone needs a --key to say what is gone", code=Exit.USAGE)
        return None
    if file is not None:
        return _content(file)
    return Lines() if value in (None, "-") else value.encode(errors="surrogateescape")


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(RECORD_BYTES_MAX + 1)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None
    if len(content) > RECORD_BYTES_MAX:
        raise CommandError(f"{file}: more than {RECORD_BYTES_MAX} bytes cannot be a record")
    return content


async def _repeat(value: bytes | None, count: int) -> AsyncIterator[list[bytes | None]]:
    for _ in range(count):
        yield [value]


async def _publish_one(
    client: tapemq.Client, envelope: Envelope, value: bytes | None
) -> dict[str, object]:
    receipt = await client.publish(
        envelope.topic,
        value,
        key=envelope.key,
        headers=envelope.headers,
        partition=envelope.partition,
        ttl=envelope.ttl,
        priority=envelope.priority,
    )
    return {
        "topic": receipt.topic,
        "partition": receipt.partition,
        "offset": receipt.offset,
        "durability": receipt.durability,
        "duplicate": receipt.duplicate,
    }


async def _schedule_one(
    client: tapemq.Client, envelope: Envelope, value: bytes | None, later: Later
) -> dict[str, object]:
    receipt = await client.publish(
        envelope.topic,
        value,
        key=envelope.key,
        headers=envelope.headers,
        partition=envelope.partition,
        ttl=envelope.ttl,
        priority=envelope.priority,
        **later._asdict(),
    )
    return receipt._asdict()


async def _publish_all(
    client: tapemq.Client,
    envelope: Envelope,
    values: AsyncIterator[list[bytes]] | AsyncIterator[list[bytes | None]],
    total: int | None = None,
) -> dict[str, object]:
    key, headers, partition = envelope.key, envelope.headers or None, envelope.partition
    ttl, priority = envelope.ttl, envelope.priority
    records = size_bytes = 0
    with ProgressBar("publishing", total) as bar:
        async with client.producer(envelope.topic) as producer:
            try:
                async for some in values:
                    for value in some:
                        await producer.send(
                            value,
                            key=key,
                            headers=headers,
                            partition=partition,
                            ttl=ttl,
                            priority=priority,
                        )
                        records += 1
                        size_bytes += len(value or b"")
                    bar.advance(len(some))
            except (tapemq.PayloadTooLarge, LineTooLong) as error:
                await producer.flush()  # raises if it is not that line, or those before it are lost
                if total is not None:
                    raise
                raise _line_too_long(records, error) from None
    return {"topic": envelope.topic, "records": records, "bytes": size_bytes}


def _line_too_long(before: int, error: Exception) -> CommandError:
    lines = f"{counted(before, 'line')} before it {agreeing(before, 'is', 'are')} published"
    advice = f"{lines}, nothing behind it; to publish a file as one record use --file"
    return CommandError(f"line {before + 1}: {error}", advice)
