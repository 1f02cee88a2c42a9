"""A client application: a process of its own, with one client of the SDK."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from traceback import format_exception
from typing import Final

import tapemq
from tapemq.client import Client
from tapemq.connecting import connect_with
from tapemq.network.dial import dial
from tests.support.simulation.clocks import ClientClock
from tests.support.simulation.loop import SimLoop
from tests.support.simulation.machine import HOST, PORT
from tests.support.simulation.process import Process

URL: Final = f"tapemq://{HOST}:{PORT}"

Work = Callable[[Client], Awaitable[None]]


class App:
    """Runs ``work`` with a connected client; its failure is the simulation's."""

    def __init__(self, loop: SimLoop, random: Random, name: str, work: Work) -> None:
        self.process: Final = Process(name)
        self._loop = loop
        self._clock = ClientClock(loop, random)
        self._work = work
        self._ended = asyncio.Event()
        self.process.at_exit(self._end)

    async def run(self) -> None:
        """Start, and wait for the end: that of the work, or of the process."""
        task = self._loop.create_task(self._main(), context=self.process.context)
        task.add_done_callback(self._finished, context=self._loop.network.context)
        await self._ended.wait()

    async def _main(self) -> None:
        async with await self._connect() as client:
            await self._work(client)

    async def _connect(self) -> Client:
        while True:
            try:
                return await connect_with(URL, name=self.process.name, clock=self._clock, dial=dial)
            except tapemq.ConnectionLost:
                continue

    def _finished(self, task: asyncio.Task[None]) -> None:
        error = task.exception()
        if error is not None:
            where = "".join(format_exception(error))
            self._loop.failures.append(f"{self.process.name} failed: {error!r}\n{where}")
        self.process.exit("done")

    def kill(self, *, silently: bool = False) -> None:
        """End the process in the middle of everything; ``silently``: with its whole machine."""
        if self.process.alive:
            if silently:
                self._loop.network.power_failed(self.process)
            self.process.exit("killed")

    def _end(self) -> None:
        self._loop.network.process_died(self.process)
        self._ended.set()
