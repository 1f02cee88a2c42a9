"""Starting and ending the processes of a benchmark."""

import socket
import subprocess
import time
from collections.abc import Callable

from benchmarks.errors import BenchmarkError

POLL_S = 0.02


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on at this moment, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_until(
    condition: Callable[[], bool], process: subprocess.Popen[str], what: str, timeout_s: float
) -> None:
    """Poll until the condition holds; raise when the process ends or the time is over."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if process.poll() is not None:
            raise BenchmarkError(f"{what}: the process ended with status {process.returncode}")
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{what}: nothing for {timeout_s:g} s")
        time.sleep(POLL_S)


def end(process: subprocess.Popen[str], timeout_s: float = 10) -> None:
    """Ask a process to end, and kill it when it does not."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
