"""The process of some consumers, or of the producer.

    python -m benchmarks.work.worker producer|consumers TASK

It speaks with the process that measures as benchmarks.worker does.
"""

import asyncio
import sys
from pathlib import Path
from time import monotonic_ns

import uvloop

from benchmarks.clients import client_of, send_at_full_speed
from benchmarks.task import Task
from benchmarks.work.board import Board
from benchmarks.work.client import Take, work_client_of
from benchmarks.work.tally import Tally
from benchmarks.worker import Gate, Result, report

POLL_S = 0.005


async def run_producer(task: Task) -> Result:
    """Produce, and note on the board how much it was."""
    gate, board = Gate(), Board(Path(str(task.settings["board"])))
    async with client_of(task).producer(task) as producer:
        start_ns = await asyncio.to_thread(gate.open)
        await asyncio.sleep(max(0, start_ns - monotonic_ns()) / 1e9)
        records = await send_at_full_speed(producer, task, start_ns)
        await producer.finish()
        board.write(0, records)
        return gate.result(records=records, ended_ns=monotonic_ns())


async def run_consumers(task: Task) -> Result:
    """Consume until everything is settled; who settled what goes to a file."""
    slot = task.number("slot")
    board = Board(Path(str(task.settings["board"])))
    tally = Tally(task.scenario.size_bytes, task.number("nack_every"))
    gate, ended_ns = Gate(), [0]

    def take(value: bytes | None, again: bool) -> bool:
        if not tally.take(value, again):
            return False
        board.write(slot, tally.count)
        ended_ns[0] = monotonic_ns()
        return True

    await consume_together(task, take, gate, board)
    settled = Path(f"{task.settings['board']}.{slot}")
    await asyncio.to_thread(settled.write_bytes, tally.acked)
    return gate.result(records=tally.count, nacked=tally.nacked, ended_ns=ended_ns[0])


async def consume_together(task: Task, take: Take, gate: Gate, board: Board) -> None:
    """Run the consumers of this process at once."""
    client = work_client_of(task)
    missing = task.number("consumers")
    all_ready, done = asyncio.Event(), asyncio.Event()

    def ready() -> None:
        nonlocal missing
        missing -= 1
        if not missing:
            all_ready.set()

    async with asyncio.TaskGroup() as group:
        for _ in range(missing):
            group.create_task(client.work(task, take, ready, wait(done)))
        await all_ready.wait()
        await asyncio.to_thread(gate.open)
        while not board.is_done:  # noqa: ASYNC110 - other processes write to it
            await asyncio.sleep(POLL_S)
        done.set()


async def wait(event: asyncio.Event) -> None:
    """Wait without a result."""
    await event.wait()


if __name__ == "__main__":
    run = run_producer if sys.argv[1] == "producer" else run_consumers
    report(uvloop.run(run(Task.from_json(sys.argv[2]))))
