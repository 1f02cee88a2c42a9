"""Calls that are under way, which a client that is closed waits for."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Underway:
    """Each from its beginning to its end, however it ends."""

    def __init__(self) -> None:
        self._calls: set[asyncio.Future[None]] = set()

    @contextmanager
    def call(self) -> Iterator[None]:
        """The time of one call."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._calls.add(ended)
        try:
            yield
        finally:
            self._calls.discard(ended)
            if not ended.done():
                ended.set_result(None)

    async def drain(self, timeout: float) -> bool:
        """Whether those that are under way now have ended, within ``timeout`` s."""
        if not self._calls:
            return True
        _, pending = await asyncio.wait(self._calls, timeout=timeout)
        return not pending
