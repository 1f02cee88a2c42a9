"""Making connections."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from tapemq.network.connection import Connection
from tapemq.network.url import Address
from tapemq.wire.messages import Hello

Dial = Callable[[Address, bool, Hello], Awaitable[Connection]]
"""Connects to an address, with TLS or not. Raises OSError. A simulation hands in its own."""


async def dial(address: Address, tls: bool, hello: Hello) -> Connection:
    """Connect with the running event loop. TLS verifies the certificate and the host's name."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(
        lambda: Connection(hello),
        address.host,
        address.port,
        ssl=ssl.create_default_context() if tls else None,
    )
    return connection
