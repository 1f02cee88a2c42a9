import threading
from collections.abc import Callable, Iterator

import pytest

from tapemq.network.url import Address
from tapemq.queues.side_connection import SideTarget
from tapemq.queues.watchdog import Watchdog
from tapemq.wire import messages as m
from tests.support.broker_thread import BrokerThread

LEASE_S = 0.03


class Loop:
    """An event loop that answers, blocks or has ended."""

    def __init__(self) -> None:
        self.blocked = False
        self.ended = False
        self.asked = threading.Semaphore(0)
        self.waiting: list[Callable[[], None]] = []

    def call(self, callback: Callable[[], None]) -> None:
        self.asked.release()
        if self.ended:
            raise RuntimeError("Event loop is closed")
        if self.blocked:
            self.waiting.append(callback)
        else:
            callback()

    def unblock(self) -> None:
        self.blocked = False
        for callback in self.waiting:
            callback()


@pytest.fixture
def thread() -> Iterator[BrokerThread]:
    with BrokerThread() as thread:
        yield thread


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def watchdog(thread: BrokerThread, loop: Loop) -> Iterator[Watchdog]:
    watchdog = Watchdog(loop.call)
    watchdog.watch(target(thread))
    yield watchdog
    watchdog.close()
    if watchdog._thread is not None:
        watchdog._thread.join(30)


def target(thread: BrokerThread) -> SideTarget:
    address = Address("127.0.0.1", thread.broker.port)
    return SideTarget(address, False, m.Hello([1], "test", resume=b"token"))


def test_nothing_is_said_for_a_loop_that_answers(
    thread: BrokerThread, loop: Loop, watchdog: Watchdog
) -> None:
    assert watchdog._thread is None  # it begins with the first lease
    watchdog.hold(LEASE_S)
    for _ in range(5):
        assert loop.asked.acquire(timeout=30)
    assert not thread.broker.requests


def test_blocked_loop_is_spoken_for_until_it_answers(
    thread: BrokerThread, loop: Loop, watchdog: Watchdog
) -> None:
    loop.blocked = True
    watchdog.hold(LEASE_S)
    for _ in range(3):
        assert thread.broker.side_pings.acquire(timeout=30)
    assert len(thread.broker.of(m.Hello)) == 1
    loop.unblock()
    assert thread.broker.side_ends.acquire(timeout=30)
    loop.blocked = True
    assert thread.broker.side_pings.acquire(timeout=30)


def test_it_tries_again_when_it_is_refused(
    thread: BrokerThread, loop: Loop, watchdog: Watchdog, caplog: pytest.LogCaptureFixture
) -> None:
    thread.broker.refuse_sides = 2
    loop.blocked = True
    watchdog.hold(LEASE_S)
    assert thread.broker.side_pings.acquire(timeout=30)
    assert "cannot keep the leases of a blocked event loop" in caplog.text


def test_it_speaks_for_the_session_there_is(
    thread: BrokerThread, loop: Loop, watchdog: Watchdog
) -> None:
    loop.blocked = True
    watchdog.watch(None)
    watchdog.hold(LEASE_S)
    for _ in range(2):
        assert loop.asked.acquire(timeout=30) or True
        loop.unblock()
        loop.blocked = True
    assert not thread.broker.of(m.Hello)
    watchdog.watch(target(thread))
    assert thread.broker.side_pings.acquire(timeout=30)
    watchdog.watch(target(thread)._replace(hello=m.Hello([1], "newer", resume=b"token")))
    while len(thread.broker.of(m.Hello)) < 2:
        assert thread.broker.side_pings.acquire(timeout=30)
    assert thread.broker.of(m.Hello)[-1].client == "newer"


def test_it_ends_with_the_loop(loop: Loop, watchdog: Watchdog) -> None:
    loop.ended = True
    watchdog.hold(LEASE_S)
    assert watchdog._thread is not None
    watchdog._thread.join(30)
    assert not watchdog._thread.is_alive()


def test_it_looks_as_often_as_the_shortest_lease_needs(watchdog: Watchdog) -> None:
    watchdog.hold(60.0)
    assert watchdog._interval_s == 10.0
    watchdog.hold(6.0)
    watchdog.hold(30.0)
    assert watchdog._interval_s == 1.0


def test_it_keeps_no_process_alive(watchdog: Watchdog) -> None:
    watchdog.hold(LEASE_S)
    assert watchdog._thread is not None
    assert watchdog._thread.daemon
