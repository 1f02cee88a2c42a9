import signal
from collections.abc import Iterator

import pytest

from tapemq import sync
from tests.support.blocking import LONG_S, BrokerThread
from tests.support.blocking_queueing import QueueWorld

_STUCK_S = 3 * LONG_S


@pytest.fixture(autouse=True)
def not_for_ever() -> Iterator[None]:
    """Fails a test whose main thread waits for what does not come."""

    def stuck(*_: object) -> None:
        pytest.fail(f"still waiting after {_STUCK_S:g} s")

    before = signal.signal(signal.SIGALRM, stuck)
    signal.setitimer(signal.ITIMER_REAL, _STUCK_S, _STUCK_S)  # again: leaving may be stuck, too
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT interrupts, whatever other tests have left: uvloop keeps its handlers when closed."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def thread() -> Iterator[BrokerThread]:
    with BrokerThread() as thread:
        yield thread


@pytest.fixture
def client(thread: BrokerThread) -> Iterator[sync.Client]:
    with thread.connect() as client:
        yield client


@pytest.fixture
def world(thread: BrokerThread, client: sync.Client) -> QueueWorld:
    return QueueWorld(thread, client)
