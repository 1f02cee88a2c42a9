"""Connections made by hand, for clients that misbehave on purpose."""

import socket
import struct
import time
from collections.abc import Sequence
from typing import Final

from tapemq.wire import messages as m
from tapemq.wire.session import encode_message

HELLO: Final = encode_message(m.Hello([1], "offender"), correlation=1)
PREFIX: Final = struct.Struct(">4sIBBHI")
MAGIC: Final = b"\xf1TQ1"
_PREFIX_BYTES: Final = PREFIX.size
_DEADLINE_S: Final = 20.0


def connect(port: int, *, receive_bytes: int = 0) -> socket.socket:
    """A connection that has said nothing yet; ``receive_bytes`` limits the system's buffer."""
    peer = socket.socket()
    if receive_bytes:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    peer.settimeout(_DEADLINE_S)
    peer.connect(("127.0.0.1", port))
    return peer


def opened(port: int, *, receive_bytes: int = 0) -> socket.socket:
    """A connection behind its handshake. Raises OSError if the broker has closed it."""
    peer = connect(port, receive_bytes=receive_bytes)
    peer.sendall(HELLO)
    read_frame(peer)
    return peer


def read_frame(peer: socket.socket) -> bytes:
    """The next frame behind its prefix. Raises ConnectionError at the end."""
    _, length, *_ = PREFIX.unpack(_read(peer, _PREFIX_BYTES))
    return _read(peer, length)


def _read(peer: socket.socket, size_bytes: int) -> bytes:
    data = b""
    while len(data) < size_bytes:
        part = peer.recv(size_bytes - len(data))
        if not part:
            raise ConnectionError("the broker has closed")
        data += part
    return data


def is_closed_after(peer: socket.socket, data: bytes) -> bool:
    """Send, and read to the end; whether that came in time."""
    try:
        peer.sendall(data)
        while peer.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def count_closed(peers: Sequence[socket.socket]) -> int:
    """How many of these, which nobody reads, the broker has cut.

    What it had handed to the system is still on its way, and no end is seen before it was read; but
    what is sent to a socket that is closed is answered with a reset.
    """
    for peer in peers:
        _has_failed(peer)
    time.sleep(0.5)
    return sum(_has_failed(peer) for peer in peers)


def _has_failed(peer: socket.socket) -> bool:
    try:
        peer.send(b"\0")
    except BlockingIOError:
        return False
    except OSError:
        return True
    return False
