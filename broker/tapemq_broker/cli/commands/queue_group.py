"""`tapemq group` for queue groups: pause, resume, set."""

from typing import Annotated

import typer

import tapemq
from tapemq_broker.cli.arguments import Group, Topic
from tapemq_broker.cli.command import command
from tapemq_broker.cli.connection import connected
from tapemq_broker.cli.options import DEFAULT_URL, Url
from tapemq_broker.cli.queue_setting_text import read_queue_settings

Settings = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME=VALUE...",
        help="Such as max_attempts=3, lease=1m, retry=1,5,60 or retry=first:1,cap:10m.",
    ),
]


@command
async def pause(topic: Topic, group: Group, url: Url = DEFAULT_URL) -> None:
    """Deliver nothing to a queue group until it is resumed; what is in hand can be settled."""
    await _alter(url, topic, group, {"paused": True})


@command
async def resume(topic: Topic, group: Group, url: Url = DEFAULT_URL) -> None:
    """Deliver to a queue group again."""
    await _alter(url, topic, group, {"paused": False})


@command
async def set_(topic: Topic, group: Group, settings: Settings, url: Url = DEFAULT_URL) -> None:
    """Change settings of a queue group; they count at once, and stay."""
    await _alter(url, topic, group, read_queue_settings(settings))


async def _alter(url: str, topic: str, group: str, settings: tapemq.QueueSettings) -> None:
    async with connected(url) as client:
        await client.alter_queue(topic, group, **settings)
