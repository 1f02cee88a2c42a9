"""Opening a session: who is let in, and who is told why not."""

import asyncio

import pytest

from tapemq.wire import messages as m
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import running_server


async def hello(port: int, message: m.Message) -> m.Welcome:
    client = RawClient(*await asyncio.open_connection("127.0.0.1", port))
    client.send(message)
    failure, _ = await client.push(m.Failure)
    assert await client.at_end()
    raise Refused(failure)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (m.Hello([2, 3], "new"), "unsupported_version"),
        (m.Hello([1], "x", mechanism="magic"), "unauthenticated"),
        (m.Hello([1], "x", namespace="other"), "bad_request"),
        (m.Hello([1], "x", resume=b"token"), "bad_request"),
        (m.Authenticate(b""), "unauthenticated"),
        (m.ListTopics(), "protocol_error"),
    ],
)
async def test_who_is_not_let_in_hears_why(message: m.Message, name: str) -> None:
    async with running_server() as server:
        with pytest.raises(Refused) as refused:
            await hello(server.port, message)
        assert refused.value.name == name


async def test_the_welcome_tells_the_limits() -> None:
    async with running_server(batch_bytes_max=1 << 20, record_bytes_max=1 << 10) as server:
        welcome = (await RawClient.connect(server.port)).welcome
        assert (welcome.batch_bytes_max, welcome.record_bytes_max) == (1 << 20, 1 << 10)
        assert len(welcome.broker_id) == 16
        assert len(welcome.session) == 16


async def test_ping_is_answered_and_bye_ends() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        await client.ask(m.Ping(), m.Pong)
        client.send(m.Bye())
        assert await client.at_end()
