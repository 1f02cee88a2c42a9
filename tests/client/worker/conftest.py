"""A real broker in the test's event loop, and the SDK's client of it."""

from collections.abc import AsyncIterator

import pytest

import tapemq
from tests.support.running_server import running_server


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """Address of a broker of the test's own."""
    async with running_server() as server:
        yield f"tapemq://127.0.0.1:{server.port}"


@pytest.fixture
async def client(url: str) -> AsyncIterator[tapemq.Client]:
    """To publish with, and to look."""
    async with await tapemq.connect(url) as client:
        yield client
