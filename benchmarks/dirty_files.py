"""How long a round of syncs takes for many files: `python -m benchmarks.dirty_files [directory]`.

The figures are in docs/adr/0002-group-commit.md. Each round appends a little to every file, then
makes all of them durable in one of several ways, which take turns.
"""

import argparse
import ctypes
import os
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter

from tapemq_broker.storage.files import OsDisk, OsFile

FILES = (1, 10, 100, 1000)
THREADS = (1, 2, 4, 8, 16)
APPEND_BYTES = 4096
ROUNDS = {1: 400, 10: 200, 100: 60, 1000: 12}

Sync = Callable[[Sequence[OsFile]], None]


def serial(files: Sequence[OsFile]) -> None:
    """One file after the other, in the calling thread."""
    for file in files:
        file.sync()


def in_threads(disk: OsDisk) -> Sync:
    """As the broker does it; includes the way to the threads and back."""
    done: SimpleQueue[Exception | None] = SimpleQueue()

    def sync(files: Sequence[OsFile]) -> None:
        disk.sync(files, done.put)
        error = done.get()
        if error:
            raise error

    return sync


def whole_file_system(directory: str) -> Sync:
    """One call for everything, whoever wrote it."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(directory, os.O_RDONLY)

    def sync(files: Sequence[OsFile]) -> None:
        if libc.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), "syncfs failed")

    return sync


def ways(directory: str) -> dict[str, Sync]:
    """All ways to sync, by name."""
    found: dict[str, Sync] = {"serial": serial}
    for threads in THREADS:
        disk = OsDisk(directory, sync_threads=threads)
        found[f"{threads} thread{'s' * (threads > 1)}"] = in_threads(disk)
    return {**found, "syncfs": whole_file_system(directory)}


def measure(directory: str, count: int, ways: dict[str, Sync]) -> dict[str, list[float]]:
    """Seconds that each round took, by the name of the way."""
    disk = OsDisk(directory)
    files = [disk.open(f"{count}-{number}", create=True) for number in range(count)]
    serial(files)
    took: dict[str, list[float]] = {}
    for _ in range(ROUNDS[count]):
        for name, sync in ways.items():
            for file in files:
                file.append((bytes(APPEND_BYTES),))
            start = perf_counter()
            sync(files)
            took.setdefault(name, []).append(perf_counter() - start)
    return took


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", default=".", help="on the disk to measure")
    with TemporaryDirectory(dir=parser.parse_args().directory) as directory:
        found = ways(directory)
        print(f"{APPEND_BYTES} bytes appended to each file; ms per round: median, 99 %")
        for count in FILES:
            for name, took in measure(directory, count, found).items():
                percentiles = quantiles(took, n=100, method="inclusive")
                middle, high = 1e3 * median(took), 1e3 * percentiles[98]
                print(f"{count:5} files  {name:12} {middle:9.2f} {high:9.2f}", flush=True)


if __name__ == "__main__":
    main()
