"""Connections made by hand, for clients that misbehave on purpose."""

import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Final

from tapemq.wire import messages as m
from tapemq.wire.messages import OPCODE_OF, SHAPES
from tapemq.wire.session import encode_message

HELLO: Final = encode_message(m.Hello([1], "offender"), correlation=1)
PONG: Final = encode_message(m.Pong())
PREFIX: Final = struct.Struct(">4sIBBHI")
MAGIC: Final = b"\xf1TQ1"
_PREFIX_BYTES: Final = PREFIX.size
_FAILURE: Final = OPCODE_OF[m.Failure]
_DEADLINE_S: Final = 60.0


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


def refusal_after(peer: socket.socket, data: bytes) -> int:
    """Send, and read to the end; the code of the failure that was the last word, 0 without one.

    Raises TimeoutError if there is no end.
    """
    code = 0
    try:
        peer.sendall(data)
        while True:
            _, length, opcode, _, header_bytes, _ = PREFIX.unpack(_read(peer, _PREFIX_BYTES))
            header = _read(peer, length)[:header_bytes]
            if opcode == _FAILURE:
                code = SHAPES[_FAILURE].decode(header).code
    except ConnectionError:
        return code


def count_closed(peers: Sequence[socket.socket], is_closed: Callable[[socket.socket], bool]) -> int:
    """How many of these the broker has closed, once all are, or after some seconds."""
    end, left = time.monotonic() + _DEADLINE_S, list(peers)
    for peer in peers:
        peer.setblocking(False)
    while left and time.monotonic() < end:
        left = [peer for peer in left if not is_closed(peer)]
        time.sleep(0.1)
    return len(peers) - len(left)


def is_cut(peer: socket.socket) -> bool:
    """Whether the broker has cut a connection behind its handshake, of which nobody reads.

    What it had handed to the system is still on its way, and no end is seen before it was read; but
    what is sent to a socket that is closed is answered with a reset. It is a sign of life: that
    the client is silent is not to be why it is cut.
    """
    try:
        peer.send(PONG)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return False


def is_ended(peer: socket.socket) -> bool:
    """Whether there is an end, behind what is to be read."""
    try:
        while peer.recv(4096):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
