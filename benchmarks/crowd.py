"""One who publishes little beside many who publish much: `python -m benchmarks.crowd [directory]`.

Many producers, each with a connection of its own, publish as fast as they may, in a process; in
another one, a record of 100 bytes is published at an even pace, and read. Each crowd meets a broker
that makes it take turns at the disk (`sync_round_bytes`, the default), and one that does not, in
turns. The figures are in docs/adr/0002-group-commit.md.
"""

import argparse
import asyncio
import multiprocessing
import struct
import sys
import time
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import uvloop

import tapemq
from benchmarks.machine import machine
from benchmarks.percentiles import NANOSECONDS_PER_MS, percentile
from benchmarks.tapemq_broker import TapemqBroker

KIB: Final = 1024
LITTLE_PER_S: Final = 200
Work = Callable[..., Coroutine[Any, Any, object]]
_STAMP: Final = struct.Struct(">Q92x")
_SPAWN: Final = multiprocessing.get_context("spawn")


class Crowd(NamedTuple):
    """So many producers, with records and batches of so many bytes."""

    producers: int
    record_bytes: int
    batch_bytes: int


class Seen(NamedTuple):
    """How late the small records were, and what the crowd published meanwhile."""

    p50_ms: float
    p99_ms: float
    crowd_mb_per_s: float


CROWDS: Final = {
    "100 with 1 MiB": Crowd(100, KIB * KIB, KIB * KIB),
    "50 with 20 KB": Crowd(50, 4_000, 20_000),
    "50 with 1 KB": Crowd(50, 1_000, 1_024),
}
ROUNDS: Final = {"4 MiB": "4MiB", "no limit": "1TiB"}


async def publish_much(url: str, crowd: Crowd, seconds: float) -> float:
    """Bytes a second that all of the crowd have published, each receipt waited for."""
    value = bytes(crowd.record_bytes)
    began_s = time.monotonic()

    async def one() -> int:
        sent = 0
        async with (
            await tapemq.connect(url) as client,
            client.producer("much", batch_bytes=crowd.batch_bytes) as producer,
        ):
            while time.monotonic() - began_s < seconds:
                await producer.send(value)
                sent += 1
        return sent

    sent = sum(await asyncio.gather(*(one() for _ in range(crowd.producers))))
    return sent * crowd.record_bytes / (time.monotonic() - began_s)


async def publish_little(url: str, seconds: float) -> list[int]:
    """How long after its sending each small record was read, in nanoseconds."""
    latencies_ns: list[int] = []
    count = int(seconds * LITTLE_PER_S)

    async def read(stream: tapemq.Stream) -> None:
        async for record in stream:
            (sent_ns,) = _STAMP.unpack(record.value or b"")
            latencies_ns.append(time.monotonic_ns() - sent_ns)
            if len(latencies_ns) == count:
                return

    async with (
        await tapemq.connect(url) as client,
        client.stream("little", start="latest") as stream,
        client.producer("little") as producer,
    ):
        reading = asyncio.create_task(read(stream))
        began_s = time.monotonic()
        for number in range(count):
            await producer.send(_STAMP.pack(time.monotonic_ns()))
            await asyncio.sleep(began_s + number / LITTLE_PER_S - time.monotonic())
        await reading
    return latencies_ns


def _report(results: Connection, work: Work, arguments: tuple[Any, ...]) -> None:
    results.send(uvloop.run(work(*arguments)))


def start(work: Work, *arguments: object) -> Connection:
    """Begin something in a process of its own; its result comes through the pipe."""
    results, sender = _SPAWN.Pipe(duplex=False)
    _SPAWN.Process(target=_report, args=(sender, work, arguments), daemon=True).start()
    sender.close()  # so that a process that fails ends the waiting for it
    return results


async def make_topics(url: str) -> None:
    """Two topics of one partition each."""
    async with await tapemq.connect(url) as client:
        await client.create_topic("much")
        await client.create_topic("little")


def measure(directory: Path, crowd: Crowd, round_bytes: str, seconds: float) -> Seen:
    """One run on a broker of its own."""
    broker = TapemqBroker(directory, settings={"TAPEMQ_SYNC_ROUND_BYTES": round_bytes})
    try:
        url = str(broker.endpoint["url"])
        uvloop.run(make_topics(url))
        much = start(publish_much, url, crowd, seconds)
        little = start(publish_little, url, seconds)
        latencies_ns = sorted(little.recv())
        bytes_per_s = much.recv()
    finally:
        broker.kill()
    p50_ms, p99_ms = (percentile(latencies_ns, at) / NANOSECONDS_PER_MS for at in (0.5, 0.99))
    return Seen(p50_ms, p99_ms, bytes_per_s / 1e6)


def compare(directory: str | None, name: str, seconds: float, repetitions: int) -> None:
    """Print one crowd's rows."""
    seen: dict[str, list[Seen]] = {rounds: [] for rounds in ROUNDS}
    for number in range(repetitions):
        for rounds, round_bytes in ROUNDS.items():
            with TemporaryDirectory(dir=directory) as made:
                seen[rounds].append(measure(Path(made), CROWDS[name], round_bytes, seconds))
        print(f"{name}: {number + 1} of {repetitions}", end="\r", file=sys.stderr)
    unlimited = median(each.crowd_mb_per_s for each in seen["no limit"])
    for rounds, measured in seen.items():
        p50_ms, p99_ms, mb_per_s = (median(column) for column in zip(*measured, strict=True))
        print(
            f"{name:>15}  rounds {rounds:>8}  p50 {p50_ms:7.1f} ms  p99 {p99_ms:7.1f} ms  "
            f"crowd {mb_per_s:6.1f} MB/s, {mb_per_s / unlimited:4.2f} x",
            flush=True,
        )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", help="default: the system's temporary directory")
    parser.add_argument("--crowd", choices=CROWDS, action="append", help="default: all")
    parser.add_argument("--seconds", type=float, default=10, help="of a run; default: %(default)s")
    parser.add_argument("--repetitions", type=int, default=3, help="default: %(default)s")
    options = parser.parse_args()
    print(machine(Path(options.directory or ".")))
    print(f"{options.repetitions} repetitions of {options.seconds:g} s, medians", flush=True)
    for name in options.crowd or CROWDS:
        compare(options.directory, name, options.seconds, options.repetitions)


if __name__ == "__main__":
    main()
