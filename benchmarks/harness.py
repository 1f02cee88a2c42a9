"""One run: a fresh broker, a consumer and a producer in processes of their own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import procfs
from benchmarks.errors import BenchmarkError
from benchmarks.measurement import Measurement
from benchmarks.process import end
from benchmarks.system import System
from benchmarks.task import Endpoint, Scenario, Settings, Task

DISK_LOOP = "append+fdatasync"
ROOT = Path(__file__).resolve().parents[1]
LEAD_NS = 300_000_000
"""How long before the start the workers are told when it is."""


@dataclass(frozen=True)
class Plan:
    """How runs are made: how long, where, with which settings changed."""

    seconds: float
    directory: Path
    changed_settings: Settings


class Worker:
    """A producer, consumer or disk process."""

    def __init__(self, role: str, task: Task, module: str = "benchmarks.worker") -> None:
        self._role = role
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, role, task.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,  # Where `benchmarks` can be imported from.
        )

    def wait_ready(self) -> None:
        """Return when the worker is connected."""
        self._read()

    def start_at(self, start_ns: int) -> None:
        """Tell the worker when to start."""
        assert self._process.stdin
        self._process.stdin.write(f"{start_ns}\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """What the worker measured, when it is done."""
        return self._read()

    def stop(self) -> None:
        """End the process, also in the middle of its work."""
        end(self._process)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkError(f"the {self._role} failed; its error is above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def fresh_directory(parent: Path) -> Iterator[Path]:
    """An empty directory on a quiet disk: nobody else's written data waits to be synced."""
    directory = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
    os.sync()
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def running(role: str, task: Task, module: str = "benchmarks.worker") -> Iterator[Worker]:
    """A worker process that is connected and waits for the start."""
    worker = Worker(role, task, module)
    try:
        worker.wait_ready()
        yield worker
    finally:
        worker.stop()


def task_of(system: System, scenario: Scenario, endpoint: Endpoint, plan: Plan) -> Task:
    """What the workers of a run are told."""
    settings = {**system.settings(scenario), **plan.changed_settings}
    return Task(system.client, endpoint, scenario, settings, plan.seconds)


def run_once(
    system: System,
    scenario: Scenario,
    plan: Plan,
    repetition: int = 1,
    wrapper: Sequence[str] = (),
) -> Measurement:
    """Measure one system in one scenario."""
    with fresh_directory(plan.directory) as directory:
        broker = system.start(directory, wrapper)
        try:
            task = task_of(system, scenario, broker.endpoint, plan)
            with running("consumer", task) as consumer, running("producer", task) as producer:
                return measure(system.name, task, repetition, broker.pid, consumer, producer)
        finally:
            broker.stop()


def measure(
    name: str, task: Task, repetition: int, broker_pid: int, consumer: Worker, producer: Worker
) -> Measurement:
    """Let a producer and a consumer that are ready run, and put their results together."""
    before, busy_before_s = procfs.usage(broker_pid), procfs.machine_busy_s()
    started_at_s = time.time() + LEAD_NS / 1e9
    start_ns = time.monotonic_ns() + LEAD_NS
    consumer.start_at(start_ns)
    producer.start_at(start_ns)
    sent, received = producer.result(), consumer.result()
    after, busy_s = procfs.usage(broker_pid), procfs.machine_busy_s() - busy_before_s
    broker_cpu_s = after.cpu_s - before.cpu_s
    if sent["records"] != received["records"]:
        raise BenchmarkError(f"{sent['records']} records sent, {received['records']} received")
    return Measurement(
        system=name,
        scenario=task.scenario,
        repetition=repetition,
        records=received["records"],
        elapsed_s=(max(sent["ended_ns"], received["ended_ns"]) - start_ns) / 1e9,
        started_at_s=started_at_s,
        broker_cpu_s=broker_cpu_s,
        producer_cpu_s=sent["cpu_s"],
        consumer_cpu_s=received["cpu_s"],
        # The kernel counts the machine's time by ticks; a little less than ours is possible.
        other_cpu_s=max(0.0, busy_s - broker_cpu_s - sent["cpu_s"] - received["cpu_s"]),
        broker_peak_bytes=after.peak_memory_bytes,
        latency_ms=received.get("latency_ms", {}),
    )


def run_disk_loop(scenario: Scenario, plan: Plan, repetition: int) -> Measurement:
    """Measure the bare loop of append and sync."""
    with fresh_directory(plan.directory) as directory:
        task = Task("", {"directory": str(directory)}, scenario, {}, plan.seconds)
        with running("disk", task) as loop:
            start_ns = time.monotonic_ns() + LEAD_NS
            loop.start_at(start_ns)
            result = loop.result()
    return Measurement(
        system=DISK_LOOP,
        scenario=scenario,
        repetition=repetition,
        records=result["records"],
        elapsed_s=(result["ended_ns"] - start_ns) / 1e9,
        producer_cpu_s=result["cpu_s"],
        latency_ms=result.get("latency_ms", {}),
    )
