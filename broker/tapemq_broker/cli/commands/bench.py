"""`tapemq bench`: measure how fast a broker is for one Python application."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

import typer

import tapemq
from tapemq.batch.limits import RECORD_BYTES_MAX
from tapemq_broker.cli.arguments import positive_number, read_size, whole_number
from tapemq_broker.cli.bench.load import SIZE_BYTES_MIN, Load
from tapemq_broker.cli.bench.runs import Runs
from tapemq_broker.cli.command import command
from tapemq_broker.cli.connection import connected
from tapemq_broker.cli.errors import complain
from tapemq_broker.cli.options import DEFAULT_URL, AsJson, Url
from tapemq_broker.cli.output import Output
from tapemq_broker.cli.progress import ProgressBar
from tapemq_broker.server.clock import RealClock, RealRandom

_TOPIC_PREFIX: Final = "bench-"
_DELETE_TIMEOUT_S: Final = 3.0

_COUNT: Final = 1_000_000
_RATED_S: Final = 10

Count = Annotated[
    int | None,
    typer.Option(
        "--count",
        metavar="NUMBER",
        parser=whole_number(1),
        help=f"How many records. Default: {_COUNT}; with --rate, {_RATED_S} seconds of them.",
    ),
]
Size = Annotated[str, typer.Option("--size", metavar="SIZE", help="Size of a record's value.")]
Rate = Annotated[
    float | None,
    typer.Option(
        "--rate",
        metavar="NUMBER",
        parser=positive_number,
        help="Records a second, to measure latencies at.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Measure a broker, with a topic that is made for it and deleted again. Every record "
        "is checked, and acknowledged only when it is on the broker's disk.",
    )
    for function in (pub, sub, pair):
        group.command(function.__name__)(function)
    app.add_typer(group, name="bench")


@command
async def pub(
    count: Count = None,
    size: Size = "100",
    rate: Rate = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Publish; with --rate one by one, with percentiles of the time to the receipt."""
    load = _load(count, size, rate)
    async with _runs(url, "publishing", load.records) as runs:
        result = await runs.publish(load)
    Output(as_json).rows([result.row()])


@command
async def sub(
    count: Count = None,
    size: Size = "100",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Read what was published before."""
    load = _load(count, size, None)
    async with _runs(url, "publishing, then reading", 2 * load.records) as runs:
        await runs.publish(load)
        result = await runs.read(load)
    Output(as_json).rows([result.row()])


@command
async def pair(
    count: Count = None,
    size: Size = "100",
    rate: Rate = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Publish and read at a time; with --rate, with percentiles of the time from end to end."""
    load = _load(count, size, rate)
    async with _runs(url, "publishing and reading", load.records) as runs:
        result = await runs.pair(load)
    Output(as_json).rows([result.row()])


def _load(count: int | None, size: str, rate: float | None) -> Load:
    size_bytes = read_size(size)
    if size_bytes < SIZE_BYTES_MIN:
        raise typer.BadParameter(f"--size is at least {SIZE_BYTES_MIN} bytes")
    if size_bytes > RECORD_BYTES_MAX:
        raise typer.BadParameter(f"--size is at most {RECORD_BYTES_MAX} bytes")
    if count is None:
        count = math.ceil(rate * _RATED_S) if rate else _COUNT
    return Load(count, size_bytes, rate)


@asynccontextmanager
async def _runs(url: str, title: str, total: int) -> AsyncIterator[Runs]:
    """Measurements on a topic of their own, under a progress bar."""
    async with connected(url) as client:
        topic = f"{_TOPIC_PREFIX}{RealRandom().u64():016x}"
        await client.create_topic(topic)
        try:
            with ProgressBar(title, total) as bar:
                yield Runs(client, topic, RealClock(), bar.advance)
        finally:
            await _delete(client, topic)


async def _delete(client: tapemq.Client, topic: str) -> None:
    """Delete the topic, unless the broker has gone: that is not what was asked about."""
    try:
        async with asyncio.timeout(_DELETE_TIMEOUT_S):
            await client.delete_topic(topic)
    except (tapemq.Error, TimeoutError):
        complain(f"the topic {topic} is still there", f"delete it: tapemq topic rm {topic}")
