import errno
import os
import socket

import pytest

from tapemq_broker.admin.listener import listen


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_connections_wait_until_somebody_accepts(host: str) -> None:
    with listen(host, 0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((host, port)) as client:
            listener.setblocking(True)
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getpeername()[1] == client.getsockname()[1]


def test_a_port_in_use_is_refused() -> None:
    in_use = pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE))
    with listen("127.0.0.1", 0) as listener, in_use:
        listen("127.0.0.1", listener.getsockname()[1])


def test_it_does_not_block() -> None:
    with listen("127.0.0.1", 0) as listener, pytest.raises(BlockingIOError):
        listener.accept()
