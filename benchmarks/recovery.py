"""How long a start takes after a crash: `python -m benchmarks.recovery [--partitions 500]`.

The figures are in docs/adr/0004-recovery.md. A data directory is made once, with a record and a
group's position in each partition, and without the note of a clean stop. Each start reads a copy of
it, with syncs as they are on this disk, or slowed down, and with one or more threads.
"""

import argparse
import asyncio
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from unittest import mock

import tapemq
from tapemq_broker.config import Settings
from tapemq_broker.server.server import Server
from tapemq_broker.server.world import World
from tapemq_broker.storage import files

THREADS = (1, 4, 8)
SLOWED_MS = (0, 3)
AT_A_TIME = 16
PARTITIONS_PER_TOPIC = 10


@contextmanager
def slower_syncs(delay_ms: int) -> Iterator[None]:
    """Every sync of a file or of a directory takes so much longer."""

    def fsync(descriptor: int) -> None:
        sleep(delay_ms / 1e3)
        os.fdatasync(descriptor)

    if not delay_ms:
        yield
        return
    with mock.patch.object(files, "_sync_data", fsync), mock.patch.object(os, "fsync", fsync):
        yield


async def start(directory: Path, threads: int) -> Server:
    """A server with a world of this process."""
    server = Server(Settings(data_dir=directory), World.real(directory, sync_threads=threads))
    await server.start("127.0.0.1", 0)
    return server


async def fill(directory: Path, partitions: int) -> None:
    """Make the data directory, as a crash would leave it."""
    server = await start(directory, 4)
    turns = asyncio.Semaphore(AT_A_TIME)

    async def one(client: tapemq.Client, topic: int) -> None:
        name = f"t{topic}"
        async with turns:
            await client.create_topic(name, partitions=PARTITIONS_PER_TOPIC)
            for number in range(PARTITIONS_PER_TOPIC):
                await client.publish(name, b"record", partition=number)
            async with client.stream(name, group="readers", start="earliest") as stream:
                records = aiter(stream)
                for _ in range(PARTITIONS_PER_TOPIC):
                    await anext(records)
                await stream.commit()

    async with await tapemq.connect(f"tapemq://127.0.0.1:{server.port}") as client:
        topics = range(-(-partitions // PARTITIONS_PER_TOPIC))
        await asyncio.gather(*(one(client, topic) for topic in topics))
    await server.stop()
    forget_clean_stop(directory)


def forget_clean_stop(directory: Path) -> None:
    """Remove what saves the next start from reading the logs."""
    (directory / "CLEAN").unlink()
    for path in directory.glob("topics/**/*"):
        if path.suffix in (".index", ".state"):
            path.unlink()


async def measure(made: Path, threads: int, delay_ms: int) -> float:
    """Seconds until a start has read a copy of the directory, and listens."""
    with TemporaryDirectory(dir=made.parent) as name:
        copy = Path(name) / "data"
        shutil.copytree(made, copy)
        os.sync()
        with slower_syncs(delay_ms):
            began = perf_counter()
            server = await start(copy, threads)
            took = perf_counter() - began
        await server.stop()
    return took


async def run(options: argparse.Namespace) -> None:
    """Print a table."""
    with TemporaryDirectory(dir=options.directory) as name:
        made = Path(name) / "made"
        await fill(made, options.partitions)
        print(
            f"{options.partitions} partitions, {options.repetitions} repetitions, medians; "
            f"Python {platform.python_version()}, {os.cpu_count()} cores",
            flush=True,
        )
        for delay_ms in SLOWED_MS:
            took: dict[int, list[float]] = {threads: [] for threads in THREADS}
            for done in range(options.repetitions):
                for threads in THREADS:
                    took[threads].append(await measure(made, threads, delay_ms))
                print(f"{done + 1} of {options.repetitions}", end="\r", file=sys.stderr)
            for threads in THREADS:
                middle = median(took[threads])
                what = f"syncs {delay_ms} ms slower, {threads} threads"
                print(f"{what}: {middle:6.2f} s, {middle / median(took[1]):4.2f} x", flush=True)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", default=".", help="on the disk to measure")
    parser.add_argument("--partitions", type=int, default=500)
    parser.add_argument("--repetitions", type=int, default=3)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
