"""A broker in a process of its own, which can be killed and started again."""

import asyncio
import signal
import sys
from pathlib import Path


class BrokerProcess:
    """`tapemq serve` on a directory. The port that the first start got is kept."""

    def __init__(self, data_dir: Path) -> None:
        self.url = ""
        self._data_dir = data_dir
        self._port = "0"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        command = ["serve", "--data-dir", str(self._data_dir), "--log-level", "warning"]
        ports = ["--port", self._port, "--http-port", "0"]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tapemq", *command, *ports, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        words = (await self._process.stdout.readline()).decode().split()
        if words[:1] != ["ready"]:
            raise SystemExit(f"the broker did not start: exit code {await self._process.wait()}")
        self.url = words[1]
        self._port = self.url.rpartition(":")[2]

    async def kill(self) -> int:
        """End it with SIGKILL, so that it can do nothing more; its process id."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        return self._process.pid

    async def stop(self) -> None:
        """Ask it to stop, and wait; nothing if it has ended already."""
        if self._process and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            await self._process.wait()
