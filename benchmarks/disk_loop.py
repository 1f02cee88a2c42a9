"""The floor under every durable figure: a bare loop of append and fdatasync on the same disk."""

import os
from pathlib import Path
from time import monotonic_ns

from benchmarks.pacer import NANOSECONDS, open_timer, read_ticks
from benchmarks.records import record_maker
from benchmarks.task import Task

GROUP_BYTES = 1024 * 1024
"""At full speed, so much is appended for each sync."""
WRITEV_MOST = 1024


def open_log(task: Task) -> int:
    """A new file to append to, in the directory of the run."""
    path = Path(str(task.endpoint["directory"])) / "loop"
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def sync_on_schedule(task: Task, start_ns: int) -> list[int]:
    """Append one record and sync it at each tick; return how long each one took.

    The time counts from the append, not from the tick: where the disk is slower than the schedule,
    a queue of this loop's own making must not pass for the speed of the disk.
    """
    make = record_maker(task.scenario.size_bytes)
    count = int(task.scenario.rate_per_s * task.seconds)
    timer = open_timer(start_ns, NANOSECONDS // task.scenario.rate_per_s, blocking=True)
    log = open_log(task)
    took_ns: list[int] = []
    ticks = 0
    try:
        while ticks < count:
            ticks += read_ticks(timer)
            began_ns = monotonic_ns()
            os.write(log, make(len(took_ns)))
            os.fdatasync(log)
            took_ns.append(monotonic_ns() - began_ns)
    finally:
        os.close(log)
        os.close(timer)
    return took_ns


def sync_at_full_speed(task: Task, start_ns: int) -> int:
    """Append and sync groups of records until the time is over; return how many records."""
    make = record_maker(task.scenario.size_bytes)
    group = range(min(WRITEV_MOST, max(1, GROUP_BYTES // task.scenario.size_bytes)))
    deadline_ns = start_ns + int(task.seconds * NANOSECONDS)
    log = open_log(task)
    count = 0
    try:
        while monotonic_ns() < deadline_ns:
            os.writev(log, [make(count + number) for number in group])
            os.fdatasync(log)
            count += len(group)
    finally:
        os.close(log)
    return count
