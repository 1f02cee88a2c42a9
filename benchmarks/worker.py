"""The process of one producer, one consumer or the bare disk loop.

    python -m benchmarks.worker producer|consumer|disk TASK

It prints {"ready": true}, reads the start time (nanoseconds of CLOCK_MONOTONIC) from its standard
input, works, and prints its result; both are single lines of JSON.
"""

import asyncio
import json
import sys
from resource import RUSAGE_SELF, getrusage
from time import monotonic_ns

from benchmarks.clients import client_of, drive
from benchmarks.disk_loop import sync_at_full_speed, sync_on_schedule
from benchmarks.percentiles import latencies_ns, quantiles_ms
from benchmarks.records import Checker
from benchmarks.task import Task

Result = dict[str, object]
WARM_UP_SHARE = 0.1


def cpu_s() -> float:
    """The CPU seconds of this process so far."""
    usage = getrusage(RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Gate:
    """The agreement on a common start with the process that measures."""

    start_ns = 0
    cpu_s = 0.0

    def open(self) -> int:
        """Say that this side is ready, and return the start time when it is known."""
        print(json.dumps({"ready": True}), flush=True)
        self.start_ns = int(sys.stdin.readline())
        self.cpu_s = cpu_s()
        return self.start_ns

    def result(self, **measured: object) -> Result:
        """What this process reports: the CPU seconds since the start, and more."""
        return {"cpu_s": cpu_s() - self.cpu_s, **measured}


async def run_producer(task: Task) -> Result:
    """Produce one run."""
    gate = Gate()
    async with client_of(task).producer(task) as producer:
        start_ns = await asyncio.to_thread(gate.open)
        await asyncio.sleep(max(0, start_ns - monotonic_ns()) / 1e9)
        records = await drive(producer, task, start_ns)
        return gate.result(records=records, ended_ns=monotonic_ns())


async def run_consumer(task: Task) -> Result:
    """Consume one run and check every record."""
    gate = Gate()
    rate_per_s = task.scenario.rate_per_s
    checker = Checker(task.scenario.size_bytes, timed=bool(rate_per_s))

    async def subscribed() -> None:
        await asyncio.to_thread(gate.open)

    await client_of(task).consume(task, checker.take, subscribed)
    result = gate.result(records=checker.count, ended_ns=checker.ended_ns)
    if rate_per_s:
        measured_ns = latencies_ns(checker.arrivals_ns, gate.start_ns, rate_per_s)
        result["latency_ms"] = quantiles_ms(measured_ns, warm_up_records(task))
    return result


def run_disk_loop(task: Task) -> Result:
    """Append and sync without a broker."""
    gate = Gate()
    start_ns = gate.open()
    if not task.scenario.rate_per_s:
        records = sync_at_full_speed(task, start_ns)
        return gate.result(records=records, ended_ns=monotonic_ns())
    measured_ns = sync_on_schedule(task, start_ns)
    result = gate.result(records=len(measured_ns), ended_ns=monotonic_ns())
    result["latency_ms"] = quantiles_ms(measured_ns, warm_up_records(task))
    return result


def warm_up_records(task: Task) -> int:
    """How many records at the start of a schedule do not count."""
    return int(task.seconds * task.scenario.rate_per_s * WARM_UP_SHARE)


def report(result: Result) -> None:
    """Hand the result to the process that measures."""
    print(json.dumps(result), flush=True)


def main(role: str, text: str) -> None:
    """Run one role and print its result."""
    task = Task.from_json(text)
    if role == "disk":
        result = run_disk_loop(task)
    else:
        import uvloop  # The disk loop must run where uvloop is not installed.

        result = uvloop.run(run_producer(task) if role == "producer" else run_consumer(task))
    report(result)


if __name__ == "__main__":
    main(*sys.argv[1:])
