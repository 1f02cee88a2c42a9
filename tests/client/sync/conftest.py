from collections.abc import Iterator

import pytest

from tapemq import sync
from tests.support.blocking import BrokerThread
from tests.support.blocking_queueing import QueueWorld


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
