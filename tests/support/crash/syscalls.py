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
_PATH: Final = re.compile(r"\(\d+<([^>]*)>")
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
    """When what happened in which thread. ``path``: of the file that is synced or written.

    A call that others overtake has two lines, its beginning and its end.
    """

    thread: int
    time_s: float
    what: str
    path: str

    @property
    def is_end(self) -> bool:
        """Whether the call has begun in an earlier line."""
        return "resumed>" in self.what


class Trace:
    """What strace has written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lines(self) -> list[Line]:
        """All that is complete."""
        paths: dict[int, str] = {}
        found = []
        for match in filter(None, map(_LINE.match, self._path.read_text().splitlines())):
            thread, what = int(match["thread"]), match["what"]
            if named := _PATH.search(what):  # else it is the thread's latest call, or its end
                paths[thread] = named[1]
            found.append(Line(thread, float(match["time"]), what, paths.get(thread, "")))
        return found

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
