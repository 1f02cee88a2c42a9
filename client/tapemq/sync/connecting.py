"""Making a client without asyncio."""

from tapemq._clock import Clock
from tapemq.network.url import parse_url
from tapemq.sync.client import Client, Defaults, hello_of
from tapemq.sync.dial import Dial, dial
from tapemq.sync.link import Link
from tapemq.sync.shared import Shared
from tapemq.timeouts import check_positive_timeout
from tapemq.wire.names import check_name, check_text


def connect(
    url: str = "tapemq://localhost:7077",
    *,
    name: str | None = None,
    namespace: str = "default",
    timeout: float = 10.0,
    connect_timeout: float = 10.0,
) -> Client:
    """Connect to a broker: ``with tapemq.sync.connect(url) as client``.

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
    return connect_with(
        url,
        name=name,
        namespace=namespace,
        timeout=timeout,
        connect_timeout=connect_timeout,
        clock=Clock(),
        dial=dial,
    )


def connect_with(
    url: str,
    *,
    name: str | None = None,
    namespace: str = "default",
    timeout: float = 10.0,
    connect_timeout: float = 10.0,
    clock: Clock,
    dial: Dial,
) -> Client:
    """connect() in another world: other clocks, other sockets."""
    request_s = check_positive_timeout("timeout", timeout)
    connect_s = check_positive_timeout("connect_timeout", connect_timeout)
    if name is not None:
        check_text("name", name)
    defaults = Defaults(name, check_name("namespace", namespace), request_s)
    shared = Shared(clock)
    link = Link(parse_url(url), hello_of(defaults), shared, dial)
    link.open(connect_s)
    return Client(link, shared, defaults)
