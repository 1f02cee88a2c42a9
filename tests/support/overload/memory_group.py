"""A limit on the memory of a process: a control group of the system, of version 1 or 2."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_V1 = Path("/sys/fs/cgroup/memory")
_V2 = Path("/sys/fs/cgroup")


class MemoryGroup(NamedTuple):
    """A group of processes; what they take together, with their page cache, is limited."""

    directory: Path

    def add(self, pid: int) -> None:
        """Take a process in."""
        (self.directory / "cgroup.procs").write_text(str(pid))

    @property
    def killed(self) -> int:
        """How many of its processes the system has killed because of the limit."""
        for name in ("memory.events", "memory.oom_control"):
            path = self.directory / name
            for line in path.read_text().splitlines() if path.exists() else ():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
        return 0


def missing() -> str:
    """Why there can be no such group here; empty if there can."""
    try:
        with memory_group(f"tapemq-check-{os.getpid()}", 1 << 30):  # others may ask, too
            return ""
    except OSError as error:
        return f"needs root and memory control groups: {error}"


@contextmanager
def memory_group(name: str, limit_bytes: int) -> Iterator[MemoryGroup]:
    """Make a group; it is removed at the end, when its processes are gone."""
    v1 = (_V1 / "memory.limit_in_bytes").exists()
    directory = (_V1 if v1 else _V2) / name
    directory.mkdir()
    try:
        limit = directory / ("memory.limit_in_bytes" if v1 else "memory.max")
        limit.write_text(str(limit_bytes))
        yield MemoryGroup(directory)
    finally:
        directory.rmdir()
