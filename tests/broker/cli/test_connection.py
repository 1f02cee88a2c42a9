import asyncio

import pytest

from tapemq_broker.cli import connection
from tapemq_broker.cli.connection import connected
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.exits import Exit
from tests.support.running_server import running_server


async def fail(url: str) -> CommandError:
    with pytest.raises(CommandError) as caught:
        async with connected(url):
            pass
    return caught.value


async def test_what_is_no_address_is_a_mistake_in_the_command_line() -> None:
    error = await fail("http://localhost")
    assert error.code == Exit.USAGE
    assert "tapemq://" in error.text


async def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_CONNECT_TIMEOUT_S", 0.1)
    error = await fail("tapemq://127.0.0.1:1")
    assert error.code == Exit.UNREACHABLE
    assert error.advice.startswith("is a broker running at tapemq://127.0.0.1:1?")


async def test_something_else_there() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await fail(f"tapemq://127.0.0.1:{port}")
    assert error.code == Exit.UNREACHABLE


async def test_what_the_client_refuses_is_a_mistake_in_the_command_line() -> None:
    async with running_server() as server:
        with pytest.raises(CommandError, match="a time to live") as caught:
            async with connected(f"tapemq://127.0.0.1:{server.port}") as client:
                await client.publish("t", "v", ttl=1e30)
        assert caught.value.code == Exit.USAGE
