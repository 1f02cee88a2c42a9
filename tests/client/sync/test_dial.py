import socket
import ssl
from concurrent.futures import Future

import pytest

from tapemq.network.url import Address
from tapemq.sync.dial import dial
from tests.support.blocking import in_thread, outcome


def test_connects_to_what_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with dial(Address(*server.getsockname()), False, 5.0) as connected:
            assert connected.getpeername() == server.getsockname()
        accepted, _ = server.accept()
        accepted.close()


def test_nobody_there_is_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address(*server.getsockname())
    with pytest.raises(ConnectionRefusedError):
        dial(address, False, 5.0)


def test_what_speaks_no_tls_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        dialling: Future[socket.socket] = in_thread(dial, Address(*server.getsockname()), True, 5.0)
        accepted, _ = server.accept()
        accepted.recv(1)
        accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(ssl.SSLError):
            outcome(dialling)
        accepted.close()
