"""`tapemq dump`: show what is in the files of a broker that does not run."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from tapemq_broker.cli.arguments import whole_number
from tapemq_broker.cli.command import command
from tapemq_broker.cli.errors import complain
from tapemq_broker.cli.offline import DataPath, Opened, opened
from tapemq_broker.cli.options import AsJson
from tapemq_broker.cli.output import Output, Row, print_json
from tapemq_broker.cli.record_text import named
from tapemq_broker.storage.directory import DataDirectory, LogPlace
from tapemq_broker.storage.dump import dump as rows_of
from tapemq_broker.storage.paths import base_offset_of, base_offsets

From = Annotated[
    int,
    typer.Option(
        "--from", metavar="NUMBER", parser=whole_number(0), help="The first offset to show."
    ),
]
Upto = Annotated[
    int | None,
    typer.Option(
        "--upto", metavar="NUMBER", parser=whole_number(0), help="The offset to stop in front of."
    ),
]
Records = Annotated[
    bool, typer.Option("--records", help="Show the records too; always as JSON lines.")
]

# What a table has room for; JSON lines have everything.
_COLUMNS: Final = (
    *("offset", "count", "kind", "append_time", "durable_upto"),
    *("segment", "position", "size_bytes"),
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("dump")(dump)


@command
def dump(
    path: DataPath = None,
    from_offset: From = 0,
    upto: Upto = None,
    records: Records = False,
    as_json: AsJson = False,
) -> None:
    """Show the logs of a data directory, or the batches of one log."""
    output = Output(as_json)
    with opened(path) as data:
        if data.place is None:
            output.rows(_logs(data), empty="there are no logs")
            for topic, error in data.directory.unreadable_topics():
                complain(f"{data.root / topic} cannot be read: {error.strerror}")
            return
        rows = rows_of(
            data.directory, data.place, from_offset=from_offset, upto=upto, records=records
        )
        if output.as_json or records:
            for row in rows:
                print_json(_plain(row))
        else:
            output.stream(map(_columns, rows))


def _logs(data: Opened) -> Iterator[Row]:
    for place in data.directory.logs():
        yield {
            "log": str(data.root / place.path),
            "topic": place.topic,
            "partition": place.log_id.partition,
            "holds": place.log_id.role.name.lower(),
            **_sizes(data.directory, place),
        }


def _sizes(directory: DataDirectory, place: LogPlace) -> Row:
    disk = directory.disk
    try:
        names = disk.list_directory(place.path)
    except OSError:
        return {"first_offset": None, "segments": None, "size_bytes": None}
    segments = [name for name in names if name.endswith(".log")]
    size_bytes = sum(disk.size_bytes(f"{place.path}/{name}") or 0 for name in segments)
    first_offset = min(base_offsets(names, ".log"), default=0)
    return {"first_offset": first_offset, "segments": len(segments), "size_bytes": size_bytes}


def _plain(row: Row) -> dict[str, Any]:
    """The row with bytes in a form that JSON has."""
    plain: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            plain[name] = _plain(value)
        else:
            plain |= named(name, value)
    return plain


def _columns(row: Row) -> dict[str, Any]:
    """The part of a batch's row that people look at first."""
    shown = dict(row)
    shown["segment"] = base_offset_of(row["segment"].rpartition("/")[2], ".log")
    if "append_time_us" in row:
        shown["append_time"] = datetime.fromtimestamp(row["append_time_us"] / 1e6, UTC)
    note = row.get("problem") or (f"gap: {row['gap']['reason']}" if "gap" in row else "")
    return {name: shown.get(name) for name in _COLUMNS} | {"note": note}
