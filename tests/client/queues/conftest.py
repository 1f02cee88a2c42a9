from collections.abc import AsyncIterator

import pytest

from tests.support.fake_broker import FakeBroker
from tests.support.queueing import World
from tests.support.reading import fill
from tests.support.sdk import client_of


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with FakeBroker() as broker:
        fill(broker.create("t"), 3, 3, 4)
        async with await client_of(broker) as client:
            yield World(broker, client)
