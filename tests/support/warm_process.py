"""``python -m`` without the time that a start takes: forked by a process that has all imported.

That process, see warm_parent.py, is made when it is needed first, and ends with this one.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from types import TracebackType
from typing import IO, Final, Self

from tests.support.sources import ROOT


class WarmParent:
    """Forks. ``environment``: what it and its children have besides this process's."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.environment: Final = dict(environment or {})
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm_parent", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=ROOT,
                env={**os.environ, **self.environment},
                pass_fds=[theirs.fileno()],
            )

    def fork(self, module: str, arguments: tuple[str, ...], descriptors: list[int]) -> None:
        """Let a process run the module."""
        environment = {**os.environ, **self.environment}
        request = {"module": module, "arguments": arguments, "environment": environment}
        socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)

    def close(self) -> None:
        """Those that were forked live on."""
        self._control.close()
        self._process.wait()


@cache
def warm_parent() -> WarmParent:
    """The one that all share whose environment is nothing special."""
    parent = WarmParent()
    atexit.register(parent.close)
    return parent


class WarmProcess:
    """``python -m module arguments``, in the directory of the project, with a pipe at its input and
    its output. Much like Popen; ``stderr`` is a descriptor, or None for this process's own."""

    def __init__(
        self,
        module: str,
        *arguments: object,
        stderr: int | None = None,
        parent: WarmParent | None = None,
    ) -> None:
        read_input, write_input = os.pipe()
        read_output, write_output = os.pipe()
        read_report, write_report = os.pipe()
        namespace = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY)
        streams = [read_input, write_output, 2 if stderr is None else stderr]
        (parent or warm_parent()).fork(
            module, tuple(map(str, arguments)), [*streams, write_report, namespace]
        )
        for descriptor in (read_input, write_output, write_report, namespace):
            os.close(descriptor)
        self.stdin: Final[IO[str]] = os.fdopen(write_input, "w")
        self.stdout: Final[IO[str]] = os.fdopen(read_output)
        self._report: Final[IO[str]] = os.fdopen(read_report)
        self.pid: Final = int(self._report.readline())
        self._code: int | None = None

    def wait(self) -> int:
        """End its input, and wait for its end. Returns its exit code, or minus the signal."""
        if self._code is None:
            with suppress(BrokenPipeError):
                self.stdin.close()
            with self._report, self.stdout:
                self._code = int(self._report.readline())
        return self._code

    def communicate(self) -> str:
        """End its input, and wait for its end. Returns what it has printed till then."""
        with suppress(BrokenPipeError):
            self.stdin.close()
        printed = self.stdout.read()
        self.wait()
        return printed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.wait()
