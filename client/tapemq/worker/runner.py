"""Runs an application in this process until it is told to stop."""

import asyncio
import logging
from concurrent.futures import Future, wait
from typing import Any, Final

from tapemq.client import Client
from tapemq.connecting import connect
from tapemq.worker.app import App
from tapemq.worker.station import Station

log = logging.getLogger("tapemq.worker")

_RELEASE_S: Final = 5.0
"""How long handlers may take to end once they are cancelled."""


class Runner:
    """All handlers of an application, on one connection.

    Args:
        concurrency: messages at a time, of handlers that do not say it.
        grace_s: once stopped, handlers at work may take so long to end.
    """

    def __init__(self, app: App, url: str, *, concurrency: int, grace_s: float) -> None:
        self._app = app
        self._url = url
        self._grace_s = grace_s
        self._stations = [Station(handler, concurrency) for handler in app.handlers]
        self.begun = False
        """Whether it has got as far as taking messages."""
        self.cut_off = False
        """Whether handlers took longer than the grace; threads of theirs may still run."""

    async def run(self, stop: asyncio.Event) -> None:
        """Handle messages until ``stop`` is set.

        Raises ConnectionLost and what else ``connect`` does at the start, and what reading a queue
        does: then the other handlers have been stopped as well.
        """
        working = asyncio.create_task(self._run(stop))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not working.done() and not self.begun:
            working.cancel()
        await asyncio.wait((working,))
        if not working.cancelled():
            working.result()

    async def _run(self, stop: asyncio.Event) -> None:
        async with await connect(self._url) as client, self._app.within(client):
            await self._work(client, stop)

    async def _work(self, client: Client, stop: asyncio.Event) -> None:
        self.begun = True
        works = [station.begin(client) for station in self._stations]
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((*works, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            for station in self._stations:
                station.stop()
            await self._end(works)
        for work in works:
            if work.done() and not work.cancelled():
                work.result()

    async def _end(self, works: list[asyncio.Task[None]]) -> None:
        """Wait for the handlers at work; cancel those that take too long."""
        _, late = await asyncio.wait(works, timeout=self._grace_s)
        if not late:
            await self._wait_for_threads()
            return
        self.cut_off = True
        in_hand = sum(station.in_hand for station in self._stations)
        log.warning(
            "%d messages are still in hand after %g s: they are given back", in_hand, self._grace_s
        )
        for work in late:
            work.cancel()
        await asyncio.wait(late, timeout=_RELEASE_S)

    async def _wait_for_threads(self) -> None:
        """A queue that has ended with an error did not wait for those that handled its messages."""
        calls = set[Future[Any]]().union(*(station.calls for station in self._stations))
        if calls:
            _, late = await asyncio.to_thread(wait, calls, self._grace_s)
            self.cut_off = bool(late)
