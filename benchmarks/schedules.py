"""What schedules cost: `python -m benchmarks.schedules [--count N] [--due N]`.

Makes many schedules for next year and says by how much the broker's memory grew; then has many
come due within one second and says how late they were appended. One broker, one client.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import tapemq
from benchmarks.percentiles import percentile

IN_FLIGHT = 64
MIB = 1 << 20
Time = Callable[[int], datetime]


def memory_bytes(pid: int) -> int:
    """What the process has in memory now."""
    line = next(
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )
    return int(line.split()[1]) * 1024


async def schedule_all(client: tapemq.Client, topic: str, count: int, due: Time) -> None:
    """Make so many schedules, IN_FLIGHT at a time."""
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            await client.publish(topic, b"%0100d" % number, at=due(number), timeout=120)

    await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))


async def make(client: tapemq.Client, pid: int, count: int) -> None:
    """Many schedules for next year."""
    await schedule_all(client, "far", 1000, lambda number: later(365, number))
    before, started = memory_bytes(pid), time.perf_counter()
    await schedule_all(client, "far", count, lambda number: later(365, number * 7919 % count))
    took_s = time.perf_counter() - started
    grown = (memory_bytes(pid) - before) / MIB
    print(
        f"made {count:,} in {took_s:.1f} s ({count / took_s:,.0f}/s): RSS grew by {grown:.1f} MiB"
    )
    started = time.perf_counter()
    pending = await client.schedules("far").count()
    print(f"counted {pending:,} in {(time.perf_counter() - started) * 1000:.1f} ms")


def later(days: int, number: int) -> datetime:
    """Some time after some days."""
    return datetime.now(UTC) + timedelta(days=days, milliseconds=number)


async def fire(client: tapemq.Client, count: int) -> None:
    """Many schedules that are due within one second."""
    begin = datetime.now(UTC) + timedelta(seconds=2 + count / 2000)
    step = timedelta(seconds=1) / count
    await schedule_all(client, "near", count, lambda number: begin + number * step)
    if datetime.now(UTC) > begin:
        raise SystemExit("they were not made in time; choose a smaller --due")
    late_ms: list[float] = []
    async with client.stream("near", start="earliest") as stream:
        async for record in stream:
            due = begin + int(record.value or b"0") * step
            late_ms.append((record.timestamp - due) / timedelta(milliseconds=1))
            if len(late_ms) == count:
                break
    late_ms.sort()
    early = sum(late < 0 for late in late_ms)
    shares = {name: percentile(late_ms, share) for name, share in (("p50", 0.5), ("p99", 0.99))}
    text = ", ".join(f"{name} {late:.0f} ms" for name, late in shares.items())
    print(f"{count:,} due within 1 s: {early} early, late {text}, at most {late_ms[-1]:.0f} ms")


async def measure(url: str, pid: int, count: int, due: int) -> None:
    """Both measurements."""
    async with await tapemq.connect(url) as client:
        if count:
            await make(client, pid, count)
        await fire(client, due)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--due", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tapemq", "serve", "--data-dir", folder]
        command += ["--host", "127.0.0.1", "--port", "0", "--http-port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as broker:
            assert broker.stdout is not None
            url = broker.stdout.readline().split()[1]
            try:
                asyncio.run(measure(url, broker.pid, options.count, options.due))
            finally:
                broker.terminate()


if __name__ == "__main__":
    main()
