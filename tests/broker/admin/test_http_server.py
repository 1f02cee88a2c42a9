import asyncio
import signal
import socket

import pytest

from tapemq_broker.admin.app import application
from tapemq_broker.admin.http_server import HttpServer
from tapemq_broker.admin.listener import listen

pytestmark = pytest.mark.both_loops

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


async def get(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_serves_on_the_socket_until_it_is_stopped() -> None:
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = HttpServer(application(dict, lambda: b"numbers"), listener)
    server.start()
    answer = await get(port)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nserver:" not in answer.lower()
    assert answer.endswith(b"\r\n\r\nnumbers")
    await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_answers_who_came_before_it_started() -> None:
    listener = listen("127.0.0.1", 0)
    client = socket.create_connection(listener.getsockname())
    client.sendall(REQUEST)
    server = HttpServer(application(dict, lambda: b"numbers"), listener)
    server.start()
    with client:
        reader, writer = await asyncio.open_connection(sock=client)
        assert (await reader.read()).endswith(b"numbers")
        writer.close()
        await writer.wait_closed()
    await server.stop()


async def test_leaves_the_signals_alone() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    listener = listen("127.0.0.1", 0)
    server = HttpServer(application(dict, bytes), listener)
    server.start()
    await get(listener.getsockname()[1])
    assert {number: signal.getsignal(number) for number in before} == before
    await server.stop()
