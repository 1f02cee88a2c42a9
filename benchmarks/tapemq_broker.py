"""A TapeMQ broker of its own, started as anyone starts it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from benchmarks.errors import BenchmarkError
from benchmarks.procfs import process_name, process_tree
from benchmarks.task import Endpoint

STOP_TIMEOUT_S = 15
SERVE = [sys.executable, "-m", "tapemq", "serve", "--host", "127.0.0.1"]
FREE_PORTS = ["--port", "0", "--http-port", "0"]


class TapemqBroker:
    """One running broker on a data directory, new or not; ``settings`` as environment variables."""

    def __init__(
        self,
        directory: Path,
        wrapper: Sequence[str] = (),
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        command = [*wrapper, *SERVE, "--data-dir", str(directory / "data"), *FREE_PORTS]
        self._log = directory / "output"
        # The broker's defaults but for these, whatever the settings of the shell are.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TAPEMQ_")}
        environment.update(settings)
        begin = time.monotonic()
        with self._log.open("a") as output:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=output, text=True, env=environment
            )
        self.pid = self._process.pid
        try:
            self.endpoint: Endpoint = {"url": self._read_url()}
        except BaseException:  # a signal, too: nobody else knows of the process yet
            self.kill()
            raise
        self.ready_s = time.monotonic() - begin

    def stop(self) -> None:
        """End it in its orderly way; raises BenchmarkError when it does not end well."""
        self._signal(signal.SIGTERM)
        try:
            status = self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BenchmarkError(f"the broker did not stop in {STOP_TIMEOUT_S} s") from None
        self._close()
        if status:
            raise BenchmarkError(f"the broker ended with status {status}:\n{self._tail()}")

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            broker = next(pid for pid in process_tree(self.pid) if process_name(pid) != "strace")
            os.kill(broker, number)

    def _close(self) -> None:
        assert self._process.stdout
        self._process.stdout.close()

    def _read_url(self) -> str:
        assert self._process.stdout
        words = self._process.stdout.readline().split()
        if len(words) != 3 or words[0] != "ready":
            raise BenchmarkError(f"the broker did not start:\n{self._tail()}")
        return words[1]

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]
