"""What one client does: makes many schedules, counts them, and reads what comes."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

import tapemq
from benchmarks.errors import BenchmarkError
from benchmarks.percentiles import percentile

IN_FLIGHT = 1000
"""Calls under way at a time."""

VALUE_BYTES = 100
FAR = "far"
NEAR = "near"
COUNTS = 21
LEAD_S = 3.0

_SPREAD = 7919
"""Times do not rise with the order of making: the index of times is filled all over."""

Time = Callable[[int], datetime]


@dataclass(frozen=True)
class Lateness:
    """How long after their times records were appended, in milliseconds."""

    early: int
    p50_ms: float
    p99_ms: float
    max_ms: float


async def _schedule(client: tapemq.Client, topic: str, count: int, due: Time) -> None:
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            value = b"%0*d" % (VALUE_BYTES, number)
            await client.publish(topic, value, at=due(number), timeout=120)

    await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))


async def make(url: str, count: int) -> float:
    """Make so many for next year; how long it took."""
    begin = datetime.now(UTC) + timedelta(days=365)
    step = timedelta(milliseconds=1)
    async with await tapemq.connect(url) as client:
        started = time.perf_counter()
        await _schedule(client, FAR, count, lambda number: begin + number * _SPREAD % count * step)
        return time.perf_counter() - started


async def count(url: str) -> tuple[int, float]:
    """How many are pending, and how many milliseconds it takes to be told (median)."""
    async with await tapemq.connect(url) as client:
        took_ms = []
        pending = 0
        for _ in range(COUNTS):
            started = time.perf_counter()
            pending = await client.schedules(FAR).count()
            took_ms.append((time.perf_counter() - started) * 1000)
    return pending, median(took_ms)


async def first_answer(url: str) -> None:
    """Wait until the broker says what is pending."""
    async with await tapemq.connect(url) as client:
        await client.schedules(FAR).count()


async def fire(url: str, due: int) -> Lateness:
    """Have so many come due within one second, and read them."""
    async with await tapemq.connect(url) as client:
        begin = datetime.now(UTC) + timedelta(seconds=LEAD_S + due / 2000)
        step = timedelta(seconds=1) / due
        await _schedule(client, NEAR, due, lambda number: begin + number * step)
        if datetime.now(UTC) > begin:
            raise BenchmarkError("they were not made in time; choose a smaller --due")
        late_ms: dict[int, float] = {}
        async with client.stream(NEAR, start="earliest") as stream:
            async for record in stream:
                number = int(record.value or b"0")
                if number in late_ms:
                    raise BenchmarkError(f"record {number} came twice")
                late = record.timestamp - (begin + number * step)
                late_ms[number] = late / timedelta(milliseconds=1)
                if len(late_ms) == due:
                    break
    all_ms = sorted(late_ms.values())
    early = sum(late < 0 for late in all_ms)
    return Lateness(early, percentile(all_ms, 0.5), percentile(all_ms, 0.99), all_ms[-1])
