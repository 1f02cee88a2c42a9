import asyncio
import socket

import pytest

from tapemq.errors import (
    Closed,
    ConnectionLost,
    IndeterminateError,
    ProtocolViolation,
    TimeoutError,  # noqa: A004
    TopicExists,
    TopicNotFound,
)
from tapemq.network import link as link_module
from tapemq.network.link import Link
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.sdk import SENT_BY_THEN_S, Listener, link_to

pytestmark = pytest.mark.both_loops

ENOUGH_S = 30.0
TOO_LITTLE_S = 0.05


async def opened(*brokers: FakeBroker) -> Link:
    link = link_to(*brokers)
    await link.open(ENOUGH_S)
    return link


# Connecting


async def test_first_connection_waits_for_the_broker() -> None:
    broker = FakeBroker()
    await broker.listen()
    await broker.close()
    link = link_to(broker)
    opening = asyncio.ensure_future(link.open(ENOUGH_S))
    await asyncio.sleep(0)
    await broker.listen()
    await opening
    assert link.limits == broker.welcome
    await link.close()
    await broker.close()


async def test_first_connection_fails_with_the_reason() -> None:
    broker = FakeBroker()
    await broker.listen()
    await broker.close()
    with pytest.raises(ConnectionLost, match=rf"127.0.0.1:{broker.port} within 0.05 s: .*onnect"):
        await link_to(broker).open(TOO_LITTLE_S)


async def test_a_port_that_says_nothing_is_doubted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = FakeBroker()
        broker.port = silent.getsockname()[1]
        with pytest.raises(ConnectionLost, match=f"127.0.0.1:{broker.port} does not answer; is"):
            await link_to(broker).open(TOO_LITTLE_S)


async def test_a_port_that_says_nothing_is_no_matter_for_the_log_of_asyncio(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Python 3.14 logs, with a traceback, what shields raise that nobody waits for any more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = FakeBroker()
        broker.port = silent.getsockname()[1]
        with pytest.raises(ConnectionLost):
            await link_to(broker).open(TOO_LITTLE_S)
        accepted, _ = silent.accept()
        with accepted:
            accepted.setblocking(False)
            while await asyncio.get_running_loop().sock_recv(accepted, 1024):
                """Until the connection is lost there."""
    assert not caplog.records


async def test_what_cannot_get_better_fails_at_once() -> None:
    async with FakeBroker() as broker:
        broker.react(m.Hello, m.Failure(wire.UNSUPPORTED_VERSION.code, "only version 9"))
        with pytest.raises(ProtocolViolation, match="only version 9"):
            await link_to(broker).open(ENOUGH_S)


async def test_other_addresses_are_tried() -> None:
    dead = FakeBroker()
    await dead.listen()
    await dead.close()
    async with FakeBroker() as broker:
        link = await opened(dead, broker)
        assert len(broker.sessions) == 1
        await link.close()


async def test_lost_connection_is_made_again() -> None:
    async with FakeBroker() as broker:
        link = await opened(broker)
        listener = Listener(link)
        await broker.cut()
        await listener.sees("down", "up")
        link.unlisten(listener)
        await broker.cut()
        await broker.received(m.Hello, 3)
        assert listener.seen == ["down", "up"]
        await link.close()


async def test_broker_that_comes_back_is_found() -> None:
    broker = FakeBroker()
    await broker.listen()
    link = await opened(broker)
    listener = Listener(link)
    await broker.close()
    await listener.sees("down")
    await broker.listen()
    await listener.sees("down", "up")
    await link.close()
    await broker.close()


# Requests


async def test_request_is_answered() -> None:
    async with FakeBroker() as broker:
        broker.create("a")
        link = await opened(broker)
        answer = await link.call(m.DescribeTopic("a"), 2.5)
        assert answer.topic == "a"
        assert broker.of(m.DescribeTopic)[0].deadline_ms == 2500
        with pytest.raises(TopicNotFound):
            await link.call(m.DescribeTopic("b"), ENOUGH_S)
        await link.close()


@pytest.mark.parametrize("reaction", [Reaction.CUT, Reaction.LOSE])
async def test_request_is_made_again_after_a_loss(reaction: Reaction) -> None:
    async with FakeBroker() as broker:
        link = await opened(broker)
        broker.react(m.ListTopics, reaction, reaction)
        assert await link.call(m.ListTopics(), ENOUGH_S) == m.Names([])
        assert len(broker.of(m.ListTopics)) == 3
        await link.close()


async def test_request_waits_for_the_connection() -> None:
    broker = FakeBroker()
    await broker.listen()
    link = await opened(broker)
    await broker.close()
    answer = asyncio.ensure_future(link.call(m.ListTopics(), ENOUGH_S))
    await asyncio.sleep(0)
    await broker.listen()
    assert await answer == m.Names([])
    await link.close()
    await broker.close()


@pytest.mark.parametrize("reaction", [Reaction.CUT, Reaction.LOSE])
async def test_what_must_not_be_done_twice_is_not_sent_twice(reaction: Reaction) -> None:
    async with FakeBroker() as broker:
        link = await opened(broker)
        broker.react(m.DeleteTopic, reaction)
        with pytest.raises(IndeterminateError, match="DeleteTopic may or may not"):
            await link.call(m.DeleteTopic("t"), ENOUGH_S, repeatable=False)
        assert len(broker.of(m.DeleteTopic)) == 1
        await link.close()


async def test_silence_ends_in_a_timeout() -> None:
    async with FakeBroker() as broker:
        link = await opened(broker)
        broker.react(m.ListTopics, Reaction.IGNORE)
        with pytest.raises(TimeoutError, match=r"ListTopics: no answer within 0\.05 s"):
            await link.call(m.ListTopics(), TOO_LITTLE_S)
        broker.react(m.DeleteTopic, Reaction.IGNORE)
        with pytest.raises(IndeterminateError, match=r"no answer within 0\.5 s"):
            await link.call(m.DeleteTopic("t"), SENT_BY_THEN_S, repeatable=False)
        await link.close()


async def test_deadline_that_passed_at_the_broker_is_one() -> None:
    async with FakeBroker() as broker:
        link = await opened(broker)
        passed = m.Failure(wire.DEADLINE_EXCEEDED.code, "too late")
        broker.react(m.ListTopics, passed)
        with pytest.raises(TimeoutError, match="too late"):
            await link.call(m.ListTopics(), ENOUGH_S)
        broker.react(m.DeleteTopic, passed)
        with pytest.raises(IndeterminateError, match="too late"):
            await link.call(m.DeleteTopic("t"), ENOUGH_S, repeatable=False)
        await link.close()


async def test_without_a_connection_even_that_surely_did_not_happen() -> None:
    broker = FakeBroker()
    await broker.listen()
    link = await opened(broker)
    listener = Listener(link)
    await broker.close()
    await listener.sees("down")
    with pytest.raises(TimeoutError, match="no connection within"):
        await link.call(m.DeleteTopic("t"), TOO_LITTLE_S, repeatable=False)
    await link.close()


async def test_overloaded_broker_is_asked_again() -> None:
    async with FakeBroker() as broker:
        link = await opened(broker)
        broker.react(m.ListTopics, m.Failure(wire.OVERLOADED.code, "busy", 1))
        assert await link.call(m.ListTopics(), ENOUGH_S) == m.Names([])
        assert len(broker.of(m.ListTopics)) == 2
        await link.close()


async def test_final_refusal_is_raised() -> None:
    async with FakeBroker() as broker:
        link = await opened(broker)
        broker.react(m.CreateTopic, m.Failure(wire.TOPIC_EXISTS.code, "taken"))
        with pytest.raises(TopicExists, match="taken"):
            await link.call(m.CreateTopic("t"), ENOUGH_S, repeatable=False)
        await link.close()


async def test_link_goes_where_it_is_sent() -> None:
    async with FakeBroker() as broker, FakeBroker() as other:
        link = await opened(broker)
        there = f"127.0.0.1:{other.port}"
        broker.react(m.ListTopics, m.Failure(wire.NOT_HERE.code, "moved", address=there))
        assert await link.call(m.ListTopics(), ENOUGH_S) == m.Names([])
        assert len(other.of(m.ListTopics)) == 1
        await link.close()


# Closing


async def test_close_says_goodbye() -> None:
    async with FakeBroker() as broker:
        link = await opened(broker)
        await link.close()
        await broker.received(m.Bye)
        with pytest.raises(Closed):
            await link.call(m.ListTopics(), ENOUGH_S)


async def test_close_does_not_wait_for_a_broker_that_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "HANG_UP_S", 0.05)
    async with FakeBroker() as broker:
        link = await opened(broker)
        connection = await link.connected()
        broker.session.pause_reading()
        connection.publish(m.Publish(1, 0, 0), [bytes(20_000_000)], lambda _: None)
        await link.close()
        await connection.lost


async def test_close_wakes_who_waits_for_a_connection() -> None:
    broker = FakeBroker()
    await broker.listen()
    link = await opened(broker)
    listener = Listener(link)
    await broker.close()
    await listener.sees("down")
    request = asyncio.ensure_future(link.call(m.ListTopics(), ENOUGH_S))
    await asyncio.sleep(0)
    await link.close()
    with pytest.raises(Closed):
        await request


async def test_closing_that_is_cancelled_leaves_no_connection_behind() -> None:
    async with FakeBroker() as broker:
        link = await opened(broker)
        closing = asyncio.ensure_future(link.close())
        await asyncio.sleep(0)
        assert link.closed
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        async with asyncio.timeout(ENOUGH_S):
            await broker.received(m.Bye)
