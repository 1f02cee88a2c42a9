"""A pytest fixture; a test suite asks for it with ``pytest_plugins = ["tapemq.testing.plugin"]``.

It needs pytest-asyncio.
"""

from collections.abc import AsyncIterator

import pytest_asyncio

from tapemq.testing.broker import Broker


@pytest_asyncio.fixture
async def tapemq_broker() -> AsyncIterator[Broker]:
    """A broker in memory, for one test."""
    async with Broker() as broker:
        yield broker
