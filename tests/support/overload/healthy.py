"""A producer and a reader that behave: python -m tests.support.overload.healthy URL SECONDS RATE.

A process of its own, so that no offender takes its time; prints what it has seen as JSON. A
latency is the time from just before a publish until its record is read.
"""

import asyncio
import json
import statistics
import struct
import sys
import time
from typing import NamedTuple

import uvloop

import tapemq

TOPIC = "healthy"
_STAMP = struct.Struct(">Qd")
_LAST_S = 60.0


class Seen(NamedTuple):
    """What came of it. ``per_s`` is of what was read; ``wrong``: not the next one, or changed."""

    published: int
    read: int
    wrong: int
    per_s: float
    p50_ms: float
    p99_ms: float
    longest_ms: float


async def _publish(producer: tapemq.Producer, seconds: float, rate: int) -> int:
    """Publish at an even pace; when that cannot be kept, as fast as goes."""
    started, number = time.monotonic(), 0
    while (now := time.monotonic()) - started < seconds:
        await producer.send(_STAMP.pack(number, now) + bytes(84))
        number += 1
        await asyncio.sleep(started + number / rate - time.monotonic())
    return number


async def run(url: str, seconds: float, rate: int) -> Seen:
    """Publish and read for so long, and read what is left."""
    latencies_s: list[float] = []
    wrong = 0
    done = asyncio.Event()
    expected = sys.maxsize

    async def read(stream: tapemq.Stream) -> None:
        nonlocal wrong
        async for record in stream:
            number, sent = _STAMP.unpack_from(record.value or b"")
            wrong += number != len(latencies_s)
            latencies_s.append(time.monotonic() - sent)
            if len(latencies_s) >= expected:
                return

    started = time.monotonic()
    async with await tapemq.connect(url) as client:
        await client.publish(TOPIC, b"it is there")
        async with (
            client.stream(TOPIC, start="latest") as stream,
            client.producer(TOPIC) as producer,
        ):
            reading = asyncio.create_task(read(stream))
            expected = await _publish(producer, seconds, rate)
            await asyncio.wait([reading], timeout=_LAST_S if len(latencies_s) < expected else 0)
            reading.cancel()
            done.set()
    cuts = statistics.quantiles(latencies_s, n=100) if len(latencies_s) > 1 else [0.0] * 99
    return Seen(
        published=expected,
        read=len(latencies_s),
        wrong=wrong,
        per_s=round(len(latencies_s) / (time.monotonic() - started), 1),
        p50_ms=round(cuts[49] * 1000, 2),
        p99_ms=round(cuts[98] * 1000, 2),
        longest_ms=round(max(latencies_s, default=0.0) * 1000, 1),
    )


if __name__ == "__main__":
    seen = uvloop.run(run(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
    print(json.dumps(seen._asdict()))
