"""CPU time and memory of a broker's processes, read from outside."""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a tree of processes has used since it was started."""

    cpu_s: float
    peak_memory_bytes: int


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third (the state) on."""
    # The second field, the name, is in parentheses and may hold spaces and parentheses itself.
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def process_tree(root: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            try:
                parent = int(stat_fields(int(entry.name))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_s(pid: int) -> float:
    """User and system time of one process, in seconds."""
    fields = stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def peak_memory_bytes(pid: int) -> int:
    """The largest resident size a process has had (VmHWM)."""
    return _status_bytes(pid, "VmHWM")


def memory_bytes(pid: int) -> int:
    """The resident size of a process now (VmRSS)."""
    return _status_bytes(pid, "VmRSS")


def _status_bytes(pid: int, name: str) -> int:
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def usage(root: int) -> Usage:
    """The sum over a process and its descendants."""
    total_cpu_s, total_bytes = 0.0, 0
    for pid in process_tree(root):
        try:
            total_cpu_s += cpu_s(pid)
            total_bytes += peak_memory_bytes(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return Usage(total_cpu_s, total_bytes)


def machine_busy_s() -> float:
    """CPU seconds of all processes, the kernel and stolen time since the machine was started."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, (PROC / "stat").read_text().split(maxsplit=9)[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_S


def process_name(pid: int) -> str:
    """The short name of a process, empty when it is gone."""
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
