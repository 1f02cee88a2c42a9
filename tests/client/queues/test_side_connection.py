import asyncio
from collections.abc import Iterator

import pytest

import tapemq
from tapemq.network.url import Address
from tapemq.queues.side_connection import SideConnection, SideTarget
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.broker_thread import BrokerThread

HELLO = m.Hello([1], "test", resume=b"token")


@pytest.fixture
def thread() -> Iterator[BrokerThread]:
    with BrokerThread() as thread:
        yield thread


def target(thread: BrokerThread) -> SideTarget:
    return SideTarget(Address("127.0.0.1", thread.broker.port), False, HELLO)


def test_signs_of_life_and_goodbye(thread: BrokerThread) -> None:
    side = SideConnection(target(thread), 30.0)
    side.ping()
    side.ping()
    assert thread.broker.side_pings.acquire(timeout=30)
    assert thread.broker.side_pings.acquire(timeout=30)
    side.close()
    assert thread.broker.side_ends.acquire(timeout=30)
    assert thread.broker.of(m.Hello) == [HELLO]


def test_session_that_is_over_is_told(thread: BrokerThread) -> None:
    thread.broker.react(m.Hello, m.Failure(wire.UNKNOWN_SESSION.code, "it is over"))
    with pytest.raises(tapemq.RequestRefused, match="it is over"):
        SideConnection(target(thread), 30.0)


def test_broker_that_hangs_up_is_told(thread: BrokerThread) -> None:
    side = SideConnection(target(thread), 30.0)

    async def cut() -> None:
        await thread.broker.cut()

    thread.call(cut())
    with pytest.raises((OSError, tapemq.ConnectionLost)):
        side.ping()
    side._socket.close()


def test_no_broker_is_told() -> None:
    async def free_port() -> int:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        return port

    port = asyncio.run(free_port())
    with pytest.raises(OSError, match=r"refused"):
        SideConnection(SideTarget(Address("127.0.0.1", port), False, HELLO), 30.0)


def test_tls_wants_a_certificate(thread: BrokerThread) -> None:
    with pytest.raises(OSError):  # noqa: PT011  (the text is OpenSSL's)
        SideConnection(target(thread)._replace(tls=True), 30.0)
