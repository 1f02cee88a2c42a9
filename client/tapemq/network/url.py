"""Broker URLs: ``tapemq://host:port,host:port`` and ``tapemqs://`` for TLS."""

import re
from typing import Final, NamedTuple

from tapemq.wire.names import check_text

DEFAULT_PORT: Final = 7077
_SCHEMES: Final = {"tapemq": False, "tapemqs": True}
_ADDRESS: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:]+))(?::(?P<port>\d+))?"
)


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Target(NamedTuple):
    """A parsed URL: addresses to try in turn, and whether to speak TLS from the first byte."""

    addresses: tuple[Address, ...]
    tls: bool


def parse_url(url: str) -> Target:
    """Parse a broker URL. Raises ValueError that says what is wrong with it, TypeError."""
    scheme, separator, rest = check_text("a broker URL", url).partition("://")
    if not separator or scheme not in _SCHEMES:
        raise ValueError(f"{url!r} is no broker URL: it starts with tapemq:// or tapemqs://")
    if "@" in rest:
        raise ValueError("a broker URL takes no user and password: this version authenticates none")
    hosts = rest.removesuffix("/")
    if not hosts or any(mark in hosts for mark in "/?#"):
        raise ValueError(f"{url!r} is no broker URL: host[:port][,host[:port]...] follows ://")
    return Target(tuple(map(parse_address, hosts.split(","))), _SCHEMES[scheme])


def parse_address(text: str) -> Address:
    """Parse ``host``, ``host:port`` or ``[ipv6]:port``. Raises ValueError."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no address: host, host:port or [ipv6]:port")
    port = int(match["port"]) if match["port"] else DEFAULT_PORT
    if not 0 < port <= 65_535:
        raise ValueError(f"{text!r}: there is no port {port}")
    if match["host"] is not None:
        _check_host(text, match["host"])
    return Address(match["ipv6"] or match["host"], port)


def _check_host(text: str, host: str) -> None:
    """Raise ValueError for what can be no name: whoever looks it up would fail otherwise, each
    time, with an error that says nothing of a URL."""
    try:
        encoded = host.encode("idna")
    except UnicodeError as error:
        raise ValueError(f"{text!r}: {host!r} cannot be the name of a host: {error}") from None
    if b"\0" in encoded:
        raise ValueError(f"{text!r}: {host!r} cannot be the name of a host")
