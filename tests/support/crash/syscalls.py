"""Faults in the system calls of a running process, injected by strace."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

SYNCS: Final = "fdatasync,fsync"
WRITES: Final = "pwritev,pwritev2,pwrite64"

_LINE: Final = re.compile(r"(?P<thread>\d+) +(?P<time>[\d.]+) (?P<what>.*)")
_FAULT: Final = re.compile(r"\((INJECTED|DELAYED)\)")
_PTRACE_SCOPE: Final = Path("/proc/sys/kernel/yama/ptrace_scope")


def missing() -> str:
    """Why this cannot be done here; empty if it can."""
    if shutil.which("strace") is None:
        return "faults in system calls need strace"
    is_free = not _PTRACE_SCOPE.exists() or _PTRACE_SCOPE.read_text().strip() == "0"
    if os.geteuid() != 0 and not is_free:
        return "strace may attach to no process here: that needs root"
    return ""


class Line(NamedTuple):
    """When what happened in which thread. A file's path stands behind its descriptor."""

    thread: int
    time_s: float
    what: str

    @property
    def path(self) -> str:
        """Of the file that a call names first; "" if it names none."""
        found = re.search(r"\(\d+<([^>]*)>", self.what)
        return found[1] if found else ""


class Trace:
    """What strace has written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lines(self) -> list[Line]:
        """All that is complete."""
        matches = (_LINE.match(line) for line in self._path.read_text().splitlines())
        return [
            Line(int(match["thread"]), float(match["time"]), match["what"])
            for match in matches
            if match
        ]

    def behind_fault(self) -> list[Line]:
        """The first injected fault, and what came after it. Empty: there was none."""
        lines = self.lines()
        faults = (number for number, line in enumerate(lines) if _FAULT.search(line.what))
        return lines[next(faults, len(lines)) :]


@contextmanager
def injected(pid: int, calls: str, fault: str, trace_path: Path) -> Iterator[Trace]:
    """Let calls fail while the context lasts: e.g. ``error=EIO:when=3``, counted by thread."""
    command = ["strace", "-f", "-ttt", "-y", "-o", str(trace_path), "-p", str(pid)]
    command += ["-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        first = strace.stderr.readline()
        assert "attached" in first, first
        try:
            yield Trace(trace_path)
        finally:
            strace.terminate()
            strace.communicate()
