"""When the records of a steady rate are due."""

import asyncio
from collections.abc import AsyncIterator

from tapemq_broker.server.clock import Clock


async def due_times(clock: Clock, count: int, rate: float) -> AsyncIterator[float]:
    """The times, on the monotonic clock, at which `count` records at `rate` a second are due.

    Each comes when it is due or at once if that has passed: a latency counted from it includes
    the wait for a sender that was held up.
    """
    begin = clock.monotonic()
    for number in range(count):
        due = begin + number / rate
        while (wait_s := due - clock.monotonic()) > 0:  # noqa: ASYNC110  (nothing else tells time)
            await asyncio.sleep(wait_s)
        yield due
