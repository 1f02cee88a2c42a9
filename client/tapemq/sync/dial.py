"""Making connections with blocking sockets."""

import socket
import ssl
from collections.abc import Callable

from tapemq.network.url import Address

Dial = Callable[[Address, bool, float], socket.socket]
"""Connects to an address, with TLS or not, within so many seconds. Raises OSError."""


def dial(address: Address, tls: bool, timeout_s: float) -> socket.socket:
    """Connect. TLS verifies the certificate and the host's name."""
    plain = socket.create_connection((address.host, address.port), timeout_s)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not tls:
            return plain
        return ssl.create_default_context().wrap_socket(plain, server_hostname=address.host)
    except BaseException:
        plain.close()
        raise
