import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tapemq_broker.admin import http_connection
from tapemq_broker.admin.app import application
from tapemq_broker.admin.http_connection import CONNECTIONS_MAX
from tapemq_broker.admin.http_server import HttpServer
from tapemq_broker.admin.listener import listen

pytestmark = pytest.mark.both_loops

HEAD = b"GET /healthz HTTP/1.1\r\nHost: test\r\n"
REQUEST = HEAD + b"\r\n"
LARGE_BYTES = 32 * 1024 * 1024
"""More than the system keeps for a client that does not read."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def serving(body: bytes = b"") -> AsyncIterator[int]:
    """The port of a server that answers `/metrics` with the body."""
    listener = listen("127.0.0.1", 0)
    server = HttpServer(application(dict, lambda: body), listener)
    server.start()
    try:
        yield listener.getsockname()[1]
    finally:
        await server.stop()


async def answered(stream: Stream) -> bytes:
    """The answer to a request on the connection, as far as its first line."""
    reader, writer = stream
    writer.write(REQUEST)
    line = await reader.readline()
    await reader.readuntil(b'{"status":"ok"}')
    return line


async def close(*streams: Stream) -> None:
    for _, writer in streams:
        writer.close()


async def end_of(stream: Stream) -> bytes:
    """What is left on a connection that the server closes."""
    try:
        return await stream[0].read()
    except ConnectionError:
        return b""


@pytest.fixture
def shorten(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, whoever begins to wait does not wait for long."""
    return lambda: monkeypatch.setattr(http_connection, "WAIT_S", 0.01)


async def test_a_probe_gets_in_however_many_are_idle() -> None:
    async with serving() as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX)]
        probe = await asyncio.open_connection("127.0.0.1", port)
        assert await answered(probe) == b"HTTP/1.1 200 OK\r\n"
        await close(*idle, probe)


async def test_of_too_many_those_go_that_have_waited_longest() -> None:
    async with serving() as port:
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX)]
        await answered(streams[-1])  # all are accepted
        await answered(streams[0])
        more = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        assert [await end_of(stream) for stream in streams[1:3]] == [b"", b""]
        for stream in (streams[0], *streams[3:], *more):
            assert await answered(stream) == b"HTTP/1.1 200 OK\r\n"
        await close(*streams, *more)


@pytest.mark.parametrize("sent", [b"", HEAD], ids=["nothing", "half a request"])
async def test_who_asks_nothing_is_closed(sent: bytes, shorten: Callable[[], None]) -> None:
    async with serving() as port:
        shorten()
        stream = await asyncio.open_connection("127.0.0.1", port)
        stream[1].write(sent)
        assert await end_of(stream) == b""
        await close(stream)


async def test_who_begins_another_request_and_does_not_end_it_is_closed(
    shorten: Callable[[], None],
) -> None:
    async with serving() as port:
        stream = await asyncio.open_connection("127.0.0.1", port)
        await answered(stream)
        shorten()
        await answered(stream)
        stream[1].write(HEAD)
        assert await end_of(stream) == b""
        await close(stream)


async def test_who_does_not_read_the_answer_is_closed(shorten: Callable[[], None]) -> None:
    async with serving(bytes(LARGE_BYTES)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(REQUEST)
        await reader.readexactly(1)
        shorten()
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n")
        while not writer.is_closing():  # only who writes learns of it without reading
            writer.write(b"X")
            await asyncio.sleep(0)


BAD_CHUNK = HEAD + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n"
UPGRADE = HEAD + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"


async def test_a_bad_request_is_no_error_of_the_broker(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as port:
        bad = await asyncio.open_connection("127.0.0.1", port)
        bad[1].write(BAD_CHUNK)
        assert (await end_of(bad)).startswith(b"HTTP/1.1 400 ")
        host, number = bad[1].get_extra_info("sockname")
        assert f"HTTP connection from {host}:{number} closed: what came is no HTTP" in caplog.text
        late = await asyncio.open_connection("127.0.0.1", port)
        late[1].write(BAD_CHUNK.partition(b"nonsense")[0])
        await late[0].readuntil(b'{"status":"ok"}')
        late[1].write(b"nonsense\r\n")
        assert b"HTTP/1.1 400 " not in await end_of(late)
        await close(bad, late)
    assert {record.levelname for record in caplog.records} == {"WARNING"}


async def test_who_sends_nonsense_behind_a_request_that_was_answered_is_told_so() -> None:
    async with serving() as port:
        stream = await asyncio.open_connection("127.0.0.1", port)
        await answered(stream)
        stream[1].write(b"nonsense\r\n\r\n")
        assert (await end_of(stream)).startswith(b"HTTP/1.1 400 ")
        await close(stream)


async def test_a_websocket_is_answered_like_any_request_and_nobody_told_what_to_install(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as port:
        stream = await asyncio.open_connection("127.0.0.1", port)
        stream[1].write(UPGRADE)
        await stream[0].readuntil(b'{"status":"ok"}')
        await close(stream)
    assert not caplog.records
