"""One broker: many schedules, two restarts, and some that come due."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks import procfs
from benchmarks.schedules import client
from benchmarks.schedules.client import Lateness
from benchmarks.tapemq_broker import TapemqBroker
from tapemq_broker.server.world import SCHEDULE_INDEX
from tapemq_broker.storage.schedules.inspection import Inspection

WARM_UP = 1000


@dataclass(frozen=True)
class Start:
    """Seconds from the start of the process until it serves, and until schedules are known."""

    ready_s: float
    answered_s: float


@dataclass(frozen=True)
class ScheduleRun:
    """One repetition. CPU seconds are of the making; "other" is everything else on the machine;
    ``inspect_s``: how long it takes to look at the whole index."""

    repetition: int
    count: int
    due: int
    make_s: float
    broker_cpu_s: float
    client_cpu_s: float
    other_cpu_s: float
    before_bytes: int
    after_bytes: int
    peak_bytes: int
    log_bytes: int
    index_bytes: int
    inspect_s: float
    few_count_ms: float
    count_ms: float
    clean_start: Start
    killed_start: Start
    lateness: Lateness
    last_peak_bytes: int

    @property
    def growth_bytes(self) -> int:
        """By how much memory grew, at its highest."""
        return self.peak_bytes - self.before_bytes


def size_bytes(directory: Path, pattern: str) -> int:
    """What files take on the disk."""
    return sum(path.stat().st_blocks * 512 for path in directory.rglob(pattern) if path.is_file())


def _url(broker: TapemqBroker) -> str:
    return str(broker.endpoint["url"])


def _started(directory: Path) -> tuple[TapemqBroker, Start]:
    begin = time.monotonic()
    broker = TapemqBroker(directory)
    uvloop.run(client.first_answer(_url(broker)))
    return broker, Start(broker.ready_s, time.monotonic() - begin)


def measure(repetition: int, count: int, due: int, directory: Path) -> ScheduleRun:
    """See the module's text."""
    broker = TapemqBroker(directory)
    try:
        url = _url(broker)
        uvloop.run(client.make(url, WARM_UP))
        _, few_count_ms = uvloop.run(client.count(url))
        before_bytes = procfs.memory_bytes(broker.pid)
        broker_s, ours_s, busy_s = _clocks(broker.pid)
        make_s = uvloop.run(client.make(url, count))
        broker_s, ours_s, busy_s = (
            after - before
            for after, before in zip(_clocks(broker.pid), (broker_s, ours_s, busy_s), strict=True)
        )
        print(f"made {count:,} in {make_s:.1f} s", file=sys.stderr)
        pending, count_ms = uvloop.run(client.count(url))
        if pending != count + WARM_UP:
            raise AssertionError(f"{pending} are pending, not {count + WARM_UP}")
        after_bytes = procfs.memory_bytes(broker.pid)
        peak_bytes = procfs.peak_memory_bytes(broker.pid)
        broker.stop()
        log_bytes = size_bytes(directory, "*.schedule/*")
        index_bytes = size_bytes(directory, "schedules.*")
        inspect_s = _inspected_s(directory / SCHEDULE_INDEX)
        broker, clean_start = _started(directory)
        broker.kill()
        broker, killed_start = _started(directory)
        lateness = uvloop.run(client.fire(_url(broker), due))
        last_peak_bytes = procfs.peak_memory_bytes(broker.pid)
    finally:
        broker.kill()
    return ScheduleRun(
        repetition, count, due, make_s, broker_s, ours_s, busy_s - broker_s - ours_s,
        before_bytes, after_bytes, peak_bytes, log_bytes, index_bytes, inspect_s, few_count_ms,
        count_ms, clean_start, killed_start, lateness, last_peak_bytes,
    )  # fmt: skip


def _inspected_s(index: Path) -> float:
    begin = time.monotonic()
    Inspection(index).run()
    return time.monotonic() - begin


def _clocks(pid: int) -> tuple[float, float, float]:
    """CPU seconds until now: of the broker, of this process, of all."""
    return procfs.cpu_s(pid), time.process_time(), procfs.machine_busy_s()
