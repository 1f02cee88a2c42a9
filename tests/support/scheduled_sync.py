"""The SDK without asyncio against a broker whose wall clock stands until it is advanced."""

import asyncio
from collections.abc import Callable
from typing import Any

from tapemq import sync
from tests.support.blocking import LONG_S, in_thread
from tests.support.scheduled_broker import ScheduledBroker, scheduled_broker
from tests.support.stuck_disk import StuckDisk

Call = Callable[..., Any]
"""Calls something in the broker's loop."""


async def blocking(work: Callable[[sync.Client, Call], None]) -> None:
    """Run ``work`` in a thread, with a client; ``call(function)`` gets the broker in its loop."""
    loop = asyncio.get_running_loop()
    disk = StuckDisk(post=loop.call_soon)
    async with scheduled_broker(disk) as broker:

        def call(function: Callable[[ScheduledBroker, StuckDisk], Any]) -> Any:
            async def in_loop() -> Any:
                return function(broker, disk)

            return asyncio.run_coroutine_threadsafe(in_loop(), loop).result(LONG_S)

        def run() -> None:
            with sync.connect(f"tapemq://127.0.0.1:{broker.server.port}") as client:
                work(client, call)

        await asyncio.wrap_future(in_thread(run))
