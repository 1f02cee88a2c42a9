"""A broker in a process of its own, that can be killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

_READY_S = 60


class Broker:
    """One data directory, served again and again on the same port."""

    def __init__(self, data_dir: Path, *options: str, log_path: Path | None = None) -> None:
        self._data_dir = data_dir
        self.options = list(options)
        self._process: subprocess.Popen[str] | None = None
        self._port = 0
        self.http_port = 0
        self.log_path = log_path or data_dir.parent / f"{data_dir.name}.stderr"

    @property
    def url(self) -> str:
        """Where clients connect, also before it runs and after it died."""
        return f"tapemq://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def start(self, *options: str) -> None:
        """Start, and wait for the ready line. ``options`` stay for later starts."""
        self.options += options
        arguments = [
            *("--data-dir", str(self._data_dir), "--host", "127.0.0.1"),
            *("--port", str(self._port), "--http-port", "0", *self.options),
        ]
        line = self._launch(arguments)
        if not line.startswith("ready "):
            raise AssertionError(f"the broker did not start:\n{self.log_path.read_text()[-4000:]}")
        self._port, self.http_port = (int(word.rsplit(":", 1)[1]) for word in line.split()[1:])

    def _launch(self, arguments: list[str]) -> str:
        """Start ``tapemq serve`` and return the first line that it prints."""
        command = [sys.executable, "-m", "tapemq", "serve", *arguments]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def kill_if_running(self) -> None:
        """For the end of a test that failed."""
        if self._process is not None:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, and wait; the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        os.kill(self.pid, number)
        return self.wait()

    def wait(self) -> int:
        """Wait until it is gone by itself; the exit status."""
        assert self._process is not None
        process, self._process = self._process, None
        status = process.wait(timeout=_READY_S)
        assert process.stdout is not None
        process.stdout.close()
        return status
