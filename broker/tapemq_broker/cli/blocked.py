"""Says why the broker takes no publishes, where waiting for it was in vain."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import tapemq
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.exits import Exit
from tapemq_broker.cli.failures import failure_of
from tapemq_broker.config import MIB

_ADVICE: Final = """\
free some of the broker's disk: tapemq topic rm TOPIC, or, to keep less of one,
tapemq topic alter TOPIC --retention-bytes SIZE; publishing then goes on by itself"""


@asynccontextmanager
async def explained(client: tapemq.Client, topic: str) -> AsyncIterator[None]:
    """Raise CommandError for what publishing raises; a low disk is named with its figures."""
    try:
        yield
    except tapemq.Error as error:
        raise await _explanation(client, failure_of(error, topic)) from None


async def _explanation(client: tapemq.Client, failure: CommandError) -> CommandError:
    if failure.code is Exit.UNREACHABLE:
        return failure
    try:
        status = await client.status()
    except tapemq.Error:
        return failure
    if status.blocked != "disk_low":
        return failure
    return CommandError(f"{failure.text}; {_figures(status)}", _ADVICE)


def _figures(status: tapemq.BrokerInfo) -> str:
    free, least = status.disk_free_bytes / MIB, status.disk_free_min_bytes / MIB
    return f"{free:,.1f} MiB of its disk are free, {least:,.1f} MiB must stay free"
