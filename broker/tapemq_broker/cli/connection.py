"""A command's connection to the broker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import tapemq
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.exits import Exit

_CONNECT_TIMEOUT_S: Final = 3.0


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tapemq.Client]:
    """A client of the broker at the address. Raises CommandError if there is none.

    What the client refuses before it asks the broker (ValueError) was wrong in the command line.
    """
    try:
        client = await tapemq.connect(url, connect_timeout=_CONNECT_TIMEOUT_S)
    except ValueError as error:
        raise CommandError(str(error), code=Exit.USAGE) from None
    except tapemq.Error as error:
        advice = f"is a broker running at {url}? start one with: tapemq serve; or pass --url"
        raise CommandError(str(error), advice, Exit.UNREACHABLE) from None
    async with client:
        try:
            yield client
        except ValueError as error:
            raise CommandError(str(error), code=Exit.USAGE) from error
