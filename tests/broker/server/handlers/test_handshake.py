"""Opening a session: who is let in, and who is told why not."""

import asyncio

import pytest

from tapemq.wire import messages as m
from tapemq_broker.config import settings
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
        (m.Hello([1], "x", resume=b"token"), "unknown_session"),
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


async def keeper(port: int, token: bytes) -> RawClient:
    """A second connection that keeps the session of a token alive."""
    client = RawClient(*await asyncio.open_connection("127.0.0.1", port))
    client.welcome = await client.ask(m.Hello([1], "keeper", resume=token), m.Welcome)
    return client


async def test_a_second_connection_may_only_ping() -> None:
    async with running_server() as server:
        main = await RawClient.connect(server.port)
        second = await keeper(server.port, main.welcome.session)
        assert second.welcome.session != main.welcome.session
        await second.ask(m.Ping(), m.Pong)
        second.send(m.ListTopics())
        failure, _ = await second.push(m.Failure)
        assert Refused(failure).name == "protocol_error"
        assert await second.at_end()


@pytest.mark.parametrize("early", [False, True])
async def test_a_session_that_is_over_cannot_be_kept_alive(early: bool) -> None:
    async with running_server() as server:
        main = await RawClient.connect(server.port)
        token = main.welcome.session
        second = await keeper(server.port, token)
        main.send(m.Bye())
        await main.at_end()
        client = second
        if early:
            client = RawClient(*await asyncio.open_connection("127.0.0.1", server.port))
        client.send(m.Hello([1], "keeper", resume=token) if early else m.Ping())
        failure, _ = await client.push(m.Failure)
        assert Refused(failure).name == "unknown_session"
        assert await client.at_end()


async def test_a_keeper_has_no_session_of_its_own_to_keep() -> None:
    async with running_server() as server:
        main = await RawClient.connect(server.port)
        second = await keeper(server.port, main.welcome.session)
        with pytest.raises(Refused) as refused:
            await hello(server.port, m.Hello([1], "x", resume=second.welcome.session))
        assert refused.value.name == "unknown_session"


async def test_the_largest_settings_can_be_told() -> None:
    most = {setting.name: setting.about.at_most for setting in settings()}
    window_bytes, heartbeat_s = int(most["publish_window_bytes"]), most["heartbeat_s"]
    async with running_server(publish_window_bytes=window_bytes, heartbeat_s=heartbeat_s) as server:
        welcome = (await RawClient.connect(server.port)).welcome
        assert welcome.publish_window_bytes == window_bytes
        assert welcome.heartbeat_ms == heartbeat_s * 1000
