"""`python -m benchmarks work`: RabbitMQ's classic queue and a TapeMQ queue group as work queues."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from benchmarks import procfs
from benchmarks.comparison import progress, say
from benchmarks.harness import LEAD_NS, Plan, Worker, fresh_directory, running, task_of
from benchmarks.rabbitmq import ClassicQueue
from benchmarks.system import System
from benchmarks.tapemq_side import Records
from benchmarks.task import Scenario, Settings, Task
from benchmarks.work.board import Board
from benchmarks.work.tally import check_union

SCENARIO: Final = Scenario(1024)
PROCESSES: Final = 2
CONSUMERS: Final = 4
"""In each process."""
MODULE: Final = "benchmarks.work.worker"
WORK_CLIENTS: Final[dict[str, tuple[str, Settings]]] = {
    "tapemq": ("benchmarks.work.tapemq", {"prefetch": 200}),
    "rabbitmq-classic": ("benchmarks.work.classic", {"prefetch": 200}),
}
SYSTEMS: Final[dict[str, System]] = {each.name: each for each in (Records(), ClassicQueue())}


@dataclass(frozen=True)
class WorkRun:
    """One run. Times are seconds; ``records_per_s`` counts to the last ack."""

    system: str
    nack_every: int
    repetition: int
    records: int
    nacked: int
    elapsed_s: float
    broker_cpu_s: float
    producer_cpu_s: float
    consumer_cpu_s: float
    other_cpu_s: float
    broker_peak_bytes: int

    @property
    def records_per_s(self) -> float:
        """From the planned start to the last ack."""
        return self.records / self.elapsed_s


def run_all(
    names: Sequence[str], nacks: Sequence[int], repetitions: int, plan: Plan
) -> list[WorkRun]:
    """Make all runs, interleaved, with progress on standard error."""
    steps = [
        (repetition, nack_every, SYSTEMS[name])
        for repetition in range(1, repetitions + 1)
        for nack_every in nacks
        for name in names
    ]
    runs = []
    for repetition, nack_every, system in progress(steps):
        nacked = f"1 of {nack_every} nacked once" if nack_every else "no nacks"
        say(f"{repetition}. {system.name}, {nacked}: ")
        runs.append(run_once(system, plan, nack_every, repetition))
        say(f"{runs[-1].records_per_s:,.0f} records/s\n")
    return runs


def run_once(system: System, plan: Plan, nack_every: int, repetition: int) -> WorkRun:
    """Measure one system."""
    with fresh_directory(plan.directory) as directory:
        path = directory / "board"
        Board.create(path)
        broker = system.start(directory)
        try:
            task = _task(system, broker.endpoint, plan, path, nack_every)
            with ExitStack() as stack:
                workers = [
                    stack.enter_context(running("consumers", _in_slot(task, slot), MODULE))
                    for slot in range(1, PROCESSES + 1)
                ]
                producer = stack.enter_context(running("producer", task, MODULE))
                fields = _measure(broker.pid, producer, workers)
        finally:
            broker.stop()
        _check(path, fields["records"])
    return WorkRun(system.name, nack_every, repetition, **fields)


def _task(
    system: System, endpoint: dict[str, int | str], plan: Plan, board: Path, nack_every: int
) -> Task:
    module, settings = WORK_CLIENTS[system.name]
    task = task_of(system, SCENARIO, endpoint, plan)
    more: Settings = {"work_client": module, "board": str(board), "consumers": CONSUMERS}
    return replace(task, settings={**task.settings, **settings, **more, "nack_every": nack_every})


def _in_slot(task: Task, slot: int) -> Task:
    return replace(task, settings={**task.settings, "slot": slot})


def _measure(broker_pid: int, producer: Worker, workers: Sequence[Worker]) -> dict[str, Any]:
    before, busy_before_s = procfs.usage(broker_pid), procfs.machine_busy_s()
    start_ns = time.monotonic_ns() + LEAD_NS
    for worker in (*workers, producer):
        worker.start_at(start_ns)
    sent = producer.result()
    received = [worker.result() for worker in workers]
    after, busy_s = procfs.usage(broker_pid), procfs.machine_busy_s() - busy_before_s
    broker_cpu_s = after.cpu_s - before.cpu_s
    consumer_cpu_s = sum(each["cpu_s"] for each in received)
    ended_ns = max(each["ended_ns"] for each in (sent, *received))
    return {
        "records": sent["records"],
        "nacked": sum(each["nacked"] for each in received),
        "elapsed_s": (ended_ns - start_ns) / 1e9,
        "broker_cpu_s": broker_cpu_s,
        "producer_cpu_s": sent["cpu_s"],
        "consumer_cpu_s": consumer_cpu_s,
        "other_cpu_s": max(0.0, busy_s - broker_cpu_s - sent["cpu_s"] - consumer_cpu_s),
        "broker_peak_bytes": after.peak_memory_bytes,
    }


def _check(board: Path, records: int) -> None:
    parts = [Path(f"{board}.{slot}").read_bytes() for slot in range(1, PROCESSES + 1)]
    check_union(parts, records)


def to_json(run: WorkRun) -> dict[str, Any]:
    """A run with its rate."""
    return {**asdict(run), "records_per_s": run.records_per_s}
