"""Memory and start-up with a large backlog."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import procfs
from benchmarks.errors import BenchmarkError
from benchmarks.harness import LEAD_NS, running
from benchmarks.report import MIB, table
from benchmarks.tapemq_broker import TapemqBroker
from benchmarks.tapemq_side import Records
from benchmarks.task import Scenario, Task

SCENARIO = Scenario(100)
IDLE_S = 3.0
MEMORY_LIMIT_BYTES = 150 * MIB
CLEAN_START_LIMIT_S = 1.0
UNCLEAN_START_LIMIT_S = 5.0


@dataclass(frozen=True)
class Limit:
    """One measured figure and its limit, both in the unit."""

    what: str
    measured: float
    limit: float
    unit: str

    @property
    def kept(self) -> bool:
        """Whether the figure is below the limit."""
        return self.measured < self.limit


def memory(what: str, broker: TapemqBroker) -> Limit:
    """The broker's peak memory so far."""
    peak = procfs.peak_memory_bytes(broker.pid)
    return Limit(f"peak memory, {what}", peak / MIB, MEMORY_LIMIT_BYTES / MIB, "MiB")


def work(role: str, broker: TapemqBroker, records: int) -> None:
    """Run one producer or consumer until it is done."""
    system = Records()
    settings = {**system.settings(SCENARIO), "records_per_call": 250}
    task = Task(system.client, broker.endpoint, SCENARIO, settings, 0, records)
    begin = time.monotonic()
    with running(role, task) as worker:
        worker.start_at(time.monotonic_ns() + LEAD_NS)
        done = worker.result()["records"]
    rate = done / (time.monotonic() - begin)
    print(f"{role}: {done:,} records, {rate:,.0f}/s", file=sys.stderr)
    if done != records:
        raise BenchmarkError(f"the {role} had {done} records, not {records}")


def measure(records: int, directory: Path) -> list[Limit]:
    """Fill, kill, start, stop, start, drain; every record is checked at the end."""
    broker = TapemqBroker(directory)
    try:
        work("producer", broker, records)
        limits = [memory("filling", broker)]
        broker.kill()
        broker = TapemqBroker(directory)
        limits.append(Limit("ready after SIGKILL", broker.ready_s, UNCLEAN_START_LIMIT_S, "s"))
        broker.stop()
        broker = TapemqBroker(directory)
        limits.append(Limit("ready after a clean stop", broker.ready_s, CLEAN_START_LIMIT_S, "s"))
        time.sleep(IDLE_S)
        limits.append(memory("idle", broker))
        work("consumer", broker, records)
        limits.append(memory("drained", broker))
    finally:
        broker.kill()
    return limits


def main(records: int, directory: Path) -> int:
    """Measure and print; the exit code is 1 when a limit is not kept."""
    limits = measure(records, directory)
    rows = [
        [
            each.what,
            f"{each.measured:.2f} {each.unit}",
            f"below {each.limit:g} {each.unit}",
            "kept" if each.kept else "MISSED",
        ]
        for each in limits
    ]
    title = f"A backlog of {records:,} records of {SCENARIO.name}"
    print(table(title, ("", "measured", "limit", ""), rows))
    return 0 if all(each.kept for each in limits) else 1
