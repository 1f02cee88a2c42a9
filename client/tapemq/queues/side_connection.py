"""A tiny second connection that keeps a session and its leases alive. Blocking; for a thread."""

import socket
import ssl
from typing import Final, NamedTuple

from tapemq.errors import ConnectionLost, from_failure
from tapemq.network.url import Address
from tapemq.wire import messages as m
from tapemq.wire.limits import FRAME_BYTES_MAX
from tapemq.wire.session import Role, Session

_NOW: Final = 0.0
"""Times of the session are not used here: the socket has a timeout."""


class SideTarget(NamedTuple):
    """Where the session is that is to be kept alive, and its Hello with ``resume``."""

    address: Address
    tls: bool
    hello: m.Hello


class SideConnection:
    """Speaks for a session that cannot. All calls raise OSError, Error or ProtocolError."""

    def __init__(self, target: SideTarget, timeout_s: float) -> None:
        self._session = Session(Role.CLIENT, _NOW)
        self._socket = _connect(target, timeout_s)
        try:
            self._socket.settimeout(timeout_s)
            self._ask(target.hello)
            self._session.open(frame_bytes_max=FRAME_BYTES_MAX)
        except BaseException:
            self._socket.close()
            raise

    def ping(self) -> None:
        """A sign of life; returns when the broker has taken it."""
        self._ask(m.Ping())

    def close(self) -> None:
        """Say goodbye."""
        try:
            self._socket.sendall(self._session.frame_head(m.Bye(), _NOW))
        finally:
            self._socket.close()

    def _ask(self, message: m.Message) -> None:
        correlation = self._session.next_correlation()
        self._socket.sendall(self._session.frame_head(message, _NOW, correlation=correlation))
        while True:
            size_bytes = self._socket.recv_into(self._session.get_buffer())
            if not size_bytes:
                raise ConnectionLost("the broker closed the connection")
            self._session.received(size_bytes, _NOW)
            for received in self._session.events():
                if isinstance(received.message, m.Failure):
                    raise from_failure(received.message)
                if received.correlation == correlation or isinstance(received.message, m.Welcome):
                    return


def _connect(target: SideTarget, timeout_s: float) -> socket.socket:
    address = target.address
    plain = socket.create_connection((address.host, address.port), timeout_s)
    if not target.tls:
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=address.host)
    except BaseException:
        plain.close()
        raise
