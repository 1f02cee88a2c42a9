"""Making a client."""

import os
import socket

from tapemq._clock import Clock
from tapemq.client import Client, Defaults
from tapemq.network.dial import Dial, dial
from tapemq.network.link import Link
from tapemq.network.url import parse_url
from tapemq.timeouts import check_positive_timeout
from tapemq.wire import messages as m
from tapemq.wire.names import check_name, check_text


async def connect(
    url: str = "tapemq://localhost:7077",
    *,
    name: str | None = None,
    namespace: str = "default",
    timeout: float = 10.0,
    connect_timeout: float = 10.0,
) -> Client:
    """Connect to a broker: ``async with await tapemq.connect(url) as client``.

    When the connection is lost it is made again, after a random share of 0.1, 0.2, 0.4 ... 5
    seconds, for as long as the client is open; calls wait for it until their own timeouts.

    Args:
        url: ``tapemq://host[:port][,host[:port]...]``; ``tapemqs://`` for TLS, which verifies the
            broker's certificate. The port is 7077 by default; several hosts are tried in turn.
        name: of this client, for operators; by default host name and process id.
        namespace: where topics are looked up.
        timeout: seconds that a request may take unless it says otherwise.
        connect_timeout: seconds that the first connection may take.

    Raises:
        ValueError, TypeError: the URL is none, a timeout is no number above 0, or a name no text.
        ConnectionLost: no broker could be reached in time; the text says why.
        ProtocolViolation: what answers is no TapeMQ broker of this version.
        Unauthenticated: the broker wants credentials.
    """
    return await connect_with(
        url,
        name=name,
        namespace=namespace,
        timeout=timeout,
        connect_timeout=connect_timeout,
        clock=Clock(),
        dial=dial,
        watched=True,
    )


async def connect_with(
    url: str,
    *,
    name: str | None = None,
    namespace: str = "default",
    timeout: float = 10.0,
    connect_timeout: float = 10.0,
    clock: Clock,
    dial: Dial,
    watched: bool = False,
) -> Client:
    """connect() in another world: a simulation's clock and network, without threads."""
    request_s = check_positive_timeout("timeout", timeout)
    connect_s = check_positive_timeout("connect_timeout", connect_timeout)
    own_name = check_text("name", name or f"{socket.gethostname()}-{os.getpid()}")
    hello = m.Hello(versions=[1], client=own_name, namespace=check_name("namespace", namespace))
    link = Link(parse_url(url), hello, clock, dial)
    await link.open(connect_s)
    return Client(link, clock, Defaults(own_name, request_s, watched))
