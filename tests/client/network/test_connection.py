import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import pytest

from tapemq.errors import ConnectionLost, ProtocolViolation, TopicNotFound
from tapemq.network.connection import Connection
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.sdk import connection_to

pytestmark = pytest.mark.both_loops


async def ended(connection: Connection) -> str:
    """Why the connection was lost."""
    return str(await connection.lost)


async def test_handshake_opens_the_session() -> None:
    async with FakeBroker() as broker:
        connection = await connection_to(broker)
        assert connection.is_open
        assert connection.limits == broker.welcome
        assert connection.window.size_bytes == broker.welcome.publish_window_bytes
        assert broker.of(m.Hello)[0].client == "test"
        connection.close()
        await connection.lost
        assert not connection.is_open


async def test_refused_handshake_is_told() -> None:
    async with FakeBroker() as broker:
        broker.react(m.Hello, m.Failure(wire.UNSUPPORTED_VERSION.code, "too new"))
        with pytest.raises(ProtocolViolation, match="too new"):
            await connection_to(broker)


async def test_answers_find_their_requests() -> None:
    async with FakeBroker() as broker:
        broker.create("a")
        connection = await connection_to(broker)
        broker.react(m.DescribeTopic, Reaction.HOLD)
        slow = asyncio.ensure_future(connection.request(m.DescribeTopic("a")))
        quick = await connection.request(m.ListTopics())
        assert quick == m.Names(["a"])
        broker.release()
        assert (await slow).topic == "a"
        connection.close()


async def test_failure_is_raised() -> None:
    async with FakeBroker() as broker:
        connection = await connection_to(broker)
        with pytest.raises(TopicNotFound, match="no topic x"):
            await connection.request(m.DescribeTopic("x"))
        connection.close()


async def test_answer_to_a_cancelled_request_is_dropped() -> None:
    async with FakeBroker() as broker:
        connection = await connection_to(broker)
        broker.react(m.ListTopics, Reaction.HOLD)
        request = asyncio.ensure_future(connection.request(m.ListTopics()))
        await broker.received(m.ListTopics)
        request.cancel()
        broker.release()
        assert await connection.request(m.ListTopics()) == m.Names([])
        connection.close()


async def test_requests_in_flight_learn_of_the_loss() -> None:
    async with FakeBroker() as broker:
        connection = await connection_to(broker)
        broker.react(m.ListTopics, Reaction.CUT)
        with pytest.raises(ConnectionLost):
            await connection.request(m.ListTopics())
        with pytest.raises(ConnectionLost, match="closed"):
            await connection.request(m.ListTopics())


class Closing(asyncio.Transport):
    """As Python's own from 3.12 on: while it closes it takes no writelines()."""

    def is_closing(self) -> bool:
        return True

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        raise TypeError("'NoneType' object is not callable")


async def test_what_is_sent_while_the_connection_closes_learns_of_the_loss() -> None:
    """A batch that is never answered keeps all behind it from its partition, for ever."""
    async with FakeBroker() as broker:
        connection = await connection_to(broker)
        transport, connection._transport = connection._transport, Closing()
        answers: list[Any] = []
        connection.publish(m.Publish(1, 0, 0), [b"x" * 30, b"x" * 50], answers.append)
        assert transport is not None
        transport.close()
        await connection.lost
        (answer,) = answers
        assert isinstance(answer, ConnectionLost)


async def test_end_of_the_session_has_its_reason() -> None:
    async with FakeBroker() as broker:
        connection = await connection_to(broker)
        broker.session.send(m.Failure(wire.SHUTTING_DOWN.code, "maintenance"))
        assert "maintenance" in await ended(connection)


async def test_goodbye_has_its_reason() -> None:
    async with FakeBroker() as broker:
        connection = await connection_to(broker)
        broker.session.send(m.Bye("off to bed"))
        await connection.request(m.ListTopics())  # the rest is still answered
        broker.session.cut()
        assert "off to bed" in await ended(connection)


@pytest.mark.parametrize(
    "junk",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x46"],
    ids=["http", "tls"],
)
async def test_what_is_no_broker_is_named(junk: bytes) -> None:
    async with FakeBroker() as broker:
        connection = await connection_to(broker)
        broker.session.send_raw(junk)
        assert "protocol" in await ended(connection)


async def test_answer_that_nobody_asked_for_breaks_the_protocol() -> None:
    async with FakeBroker() as broker:
        connection = await connection_to(broker)
        broker.session.send(m.Done(), correlation=99)
        assert "99" in await ended(connection)


async def test_request_that_cannot_be_said_is_refused_here() -> None:
    async with FakeBroker() as broker:
        connection = await connection_to(broker)
        with pytest.raises(ValueError, match="partitions"):
            await connection.request(m.CreateTopic("t", partitions=-1))
        assert await connection.request(m.ListTopics()) == m.Names([])
        connection.close()


# Heartbeats


async def test_silence_is_broken_by_a_ping() -> None:
    async with FakeBroker() as broker:
        broker.welcome = broker.welcome._replace(heartbeat_ms=20)
        connection = await connection_to(broker)
        await broker.received(m.Ping, 3)
        assert connection.is_open
        connection.close()


async def test_ping_is_answered() -> None:
    async with FakeBroker() as broker:
        connection = await connection_to(broker)
        broker.session.send(m.Ping())
        await broker.received(m.Pong)
        connection.close()


async def test_silent_broker_is_given_up() -> None:
    async with FakeBroker() as broker:
        broker.welcome = broker.welcome._replace(heartbeat_ms=20)
        broker.react(m.Ping, *[Reaction.IGNORE] * 100)
        connection = await connection_to(broker)
        assert "does not answer" in await ended(connection)


# Pushes


async def test_pushes_go_to_their_subscription() -> None:
    async with FakeBroker() as broker:
        connection = await connection_to(broker)
        seen: list[Any] = []
        first = connection.open_subscription(lambda message, _: seen.append(("first", message)))
        second = connection.open_subscription(lambda message, _: seen.append(("second", message)))
        assert first != second
        connection.close_subscription(first)
        for number in (first, second, 77):
            broker.session.send(m.Revoke(number, 0, 1, 1000))
        await connection.request(m.ListTopics())
        assert seen == [("second", m.Revoke(second, 0, 1, 1000))]
        connection.close()


# The publish window


async def test_window_counts_what_is_in_flight() -> None:
    async with FakeBroker() as broker:
        broker.welcome = broker.welcome._replace(publish_window_bytes=100)
        connection = await connection_to(broker)
        broker.react(m.Publish, Reaction.HOLD)
        answered = asyncio.Event()
        connection.publish(m.Publish(1, 0, 0), [b"x" * 30, b"x" * 50], lambda _: answered.set())
        assert connection.admits(20)
        assert not connection.admits(21)
        await broker.received(m.Publish)
        broker.release()
        await answered.wait()
        assert connection.admits(100)
        connection.close()


async def test_room_is_offered_when_an_answer_comes() -> None:
    async with FakeBroker() as broker:
        broker.welcome = broker.welcome._replace(publish_window_bytes=100)
        connection = await connection_to(broker)
        connection.publish(m.Publish(1, 0, 0), [b"x" * 100], lambda _: None)
        offered = asyncio.Event()
        connection.want_room("me", 100, offered.set)
        await offered.wait()
        assert connection.take_room("me")
        assert connection.admits(100)
        connection.close()


async def test_broker_closes_and_opens_the_window(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tapemq.client")
    async with FakeBroker() as broker:
        connection = await connection_to(broker)
        broker.flow(0, "disk low")
        await connection.request(m.ListTopics())
        assert not connection.admits(1)
        offered = asyncio.Event()
        connection.want_room("me", 500, offered.set)
        broker.flow(500)
        await offered.wait()
        assert connection.take_room("me")
        assert connection.admits(500)
        assert [record.message for record in caplog.records] == [
            "the broker takes no publishes now: disk low",
            "the broker takes publishes again",
        ]
        connection.close()


async def test_full_socket_takes_no_batches() -> None:
    async with FakeBroker() as broker:
        connection = await connection_to(broker)
        offered = asyncio.Event()
        connection.pause_writing()
        assert not connection.admits(1)
        connection.want_room("me", 1, offered.set)
        connection.resume_writing()
        assert offered.is_set()
        connection.close()
