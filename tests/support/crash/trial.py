"""A broker under load whose process ends, in whatever way, again and again."""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

import tapemq
from tests.support.crash.broker import Broker
from tests.support.crash.history import History, judge
from tests.support.crash.load import Load, read_all
from tests.support.crash.powered_disk import PoweredDisk
from tests.support.proof.evidence import Evidence, Figure

LONG = bool(os.environ.get("TEST_LONG"))
SEED = int(os.environ.get("TEST_SEED", "1"))

RECEIPTS = 100
"""At least so many between two ends,"""
SETTLED = 50
"""and so many confirmed acks of messages."""

_MOMENT_S = 0.1
_PATIENCE_S = 60.0


class Trial:
    """``end`` it in some way, again and again; then ask for the ``verdict``."""

    def __init__(
        self, broker: Broker, client: tapemq.Client, name: str, evidence: Evidence
    ) -> None:
        self.broker = broker
        self._evidence = evidence
        self.history = History()
        self.load = Load(client, self.history, name)
        self.ends = 0
        self.slowest_start_s = 0.0
        self.client = client
        self._pick = Random(f"{name}-{SEED}")

    async def until_busy(self) -> None:
        """Wait until enough was acked, then for a random moment with frames in flight."""
        await self.load.acked(RECEIPTS, SETTLED)
        await asyncio.sleep(self._pick.uniform(0, _MOMENT_S))  # a random moment is what is tested
        while not self.history.in_flight:  # noqa: ASYNC110 - some turns of the event loop
            await asyncio.sleep(0)

    def start(self) -> None:
        """Start the broker again."""
        began_s = time.monotonic()
        self.broker.start()
        self.slowest_start_s = max(self.slowest_start_s, time.monotonic() - began_s)
        self.ends += 1
        # Else a client whose connections never last waits longer and longer, up to half a minute.
        self.client._link._backoff.reset()

    async def kill(self) -> None:
        """SIGKILL, and a new start."""
        await self.until_busy()
        self.broker.kill()
        self.start()

    async def cut(self, disk: PoweredDisk) -> None:
        """The power goes, and comes back. What clients hear from here on proves nothing: a sync
        under way may still report success."""
        await self.until_busy()
        self.history.frozen = self.history.disk_fails = True
        self.history.cuts += 1
        disk.cut()
        self.broker.kill()
        await self.deaf()
        self.history.frozen = False
        disk.restore()
        self.start()

    async def gone(self, status: int) -> None:
        """Wait until the broker has ended by itself, with this status."""
        waiting = asyncio.create_task(asyncio.to_thread(self.broker.wait))
        await asyncio.wait([waiting], timeout=_PATIENCE_S)
        if not waiting.done():
            os.kill(self.broker.pid, signal.SIGKILL)
        assert await waiting == status
        await self.deaf()

    async def deaf(self) -> None:
        """Wait until the client has heard all that a dead broker had sent."""
        connection = self.client._link.connection
        if connection is not None:
            await asyncio.shield(connection.lost)
        for _ in range(100):  # whoever was answered takes note of it in its turn
            await asyncio.sleep(0)

    async def repeat(self, times: int, end: Callable[[], Awaitable[None]]) -> None:
        """End it so many times, and say how far it is in a long run."""
        for number in range(1, times + 1):
            await end()
            if number % 50 == 0:
                tell(f"{number}/{times}: {len(self.history.acked_before)} acked")

    async def verdict(self, *promises: str, unit: str, cycles: int | None = None) -> list[str]:
        """Stop everything; what is wrong. Notes what it comes to, for these promises.

        ``cycles``: how often what was done, by default how often the broker ended; ``unit``: what.
        """
        await self.load.acked(RECEIPTS, SETTLED)
        await self.load.finish()
        final = await read_all(self.broker.url)
        assert self.broker.stop() == 0
        history = self.history
        complaints = judge(history, final)
        cycles = self.ends if cycles is None else cycles
        figures: dict[str, Figure] = {
            "cycles": cycles,
            "unit": unit,
            "attempted": len(history.acked_before),
            "written": len(history.written),
            "acks": len(history.settled),
            "records": len(final),
            **count(complaints),
            "slowest_start_s": round(self.slowest_start_s, 2),
            "seed": SEED,
        }
        self._evidence.note(*promises, **figures)
        tell(", ".join(f"{name} {value}" for name, value in figures.items()))
        assert len(history.acked) > len(history.written) > 0
        assert len(history.acked_before) >= self.ends * RECEIPTS
        assert len(history.settled) >= self.ends * SETTLED
        return complaints[:10]


def count(complaints: list[str]) -> dict[str, int]:
    """How many of which kind."""
    kinds = Counter(complaint.partition(":")[0] for complaint in complaints)
    named = {name: kinds.pop(name, 0) for name in ("lost", "duplicated", "redelivered")}
    return named | {"wrong": kinds.total()}


@asynccontextmanager
async def trial(broker: Broker, name: str, evidence: Evidence) -> AsyncIterator[Trial]:
    """A trial whose load runs."""
    broker.start()
    async with await tapemq.connect(broker.url, timeout=120) as client:
        made = Trial(broker, client, name, evidence)
        await made.load.open()
        made.load.start()
        try:
            yield made
        finally:
            await made.load.abandon()


def tell(text: str) -> None:
    """Say how it goes, in a long run."""
    if LONG:
        print(text, file=sys.stderr, flush=True)
