"""`tapemq schedule`: list, look at and cancel records that come later."""

from typing import Annotated, Any

import typer

import tapemq
from tapemq_broker.cli.arguments import Topic, as_given, whole_number
from tapemq_broker.cli.command import command
from tapemq_broker.cli.connection import connected
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.exits import Exit
from tapemq_broker.cli.options import DEFAULT_URL, AsJson, Url
from tapemq_broker.cli.output import Output
from tapemq_broker.cli.record_text import named

Id = Annotated[
    int | None,
    typer.Argument(metavar="ID", parser=whole_number(1), help="Its id; or else --key."),
]
Key = Annotated[str | None, typer.Option("--key", help="The key that it was given.")]
Limit = Annotated[
    int, typer.Option("--limit", parser=whole_number(1), help="List so many, the next ones.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    schedule = typer.Typer(
        no_args_is_help=True, help="List, look at and cancel records that come later."
    )
    for function in (ls, get, cancel):
        schedule.command(function.__name__)(function)
    app.add_typer(schedule, name="schedule")


@command
async def ls(
    topic: Topic, limit: Limit = 100, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """List the pending schedules of a topic, the next ones first."""
    rows: list[dict[str, Any]] = []
    async with connected(url) as client:
        async for schedule in client.schedules(topic).list():
            rows.append(_row(schedule))
            if len(rows) == limit:
                break
    Output(as_json).rows(rows, empty=f"nothing is scheduled in topic {topic}")


@command
async def get(
    topic: Topic,
    schedule_id: Id = None,
    key: Key = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show a pending schedule, and its record."""
    _check_named(schedule_id, key)
    async with connected(url) as client:
        schedules = client.schedules(topic)
        found = await schedules.get(schedule_id, key=key and as_given(key))
        record = await schedules.record(found.schedule_id)
    row = _row(found) | {"created": found.created, "fired": found.fired}
    headers = {name: _plain(value) for name, value in record.headers.items()}
    content = named("key", record.key) | named("value", record.value) | {"headers": headers}
    Output(as_json).row(row | content)


@command
async def cancel(
    topic: Topic, schedule_id: Id = None, key: Key = None, url: Url = DEFAULT_URL
) -> None:
    """Forget a pending schedule. What it has published already stays."""
    _check_named(schedule_id, key)
    async with connected(url) as client:
        await client.schedules(topic).cancel(schedule_id, key=key and as_given(key))


def _check_named(schedule_id: int | None, key: str | None) -> None:
    if (schedule_id is None) == (not key):
        raise CommandError("name the schedule by its ID or by --key", code=Exit.USAGE)


def _row(schedule: tapemq.ScheduleInfo) -> dict[str, Any]:
    every = schedule.every
    return {
        "id": schedule.schedule_id,
        "due": schedule.due,
        "partition": schedule.partition,
        "schedule_key": _plain(schedule.schedule_key),
        "cron": schedule.cron,
        "time_zone": schedule.time_zone if schedule.cron else None,
        "every_s": every.total_seconds() if every else None,
        "catch_up": schedule.catch_up if schedule.cron or every else None,
    }


def _plain(value: tapemq.Scalar | None) -> str | int | None:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
