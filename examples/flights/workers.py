"""Worker processes, what they say that they did, and the end of one of them."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import late
from progress import Bars

import tapemq

WORKERS = 4
_PROGRAM = Path(__file__).with_name("worker.py")


class Workers:
    """Four of them, on one queue group. One is killed when a third of the work is done."""

    def __init__(self, expected: Collection[int]) -> None:
        self.expected = expected
        self.handled: Counter[int] = Counter()
        self.failed: Counter[int] = Counter()
        self.settled = 0
        self.dead = 0
        self._processes: list[asyncio.subprocess.Process] = []
        self._listening: list[asyncio.Task[None]] = []
        self._third = asyncio.Event()

    async def start(self, url: str) -> None:
        """Start all processes."""
        for _ in range(WORKERS):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(_PROGRAM),
                url,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # each failure that is planned is logged there
            )
            self._processes.append(process)
            self._listening.append(asyncio.create_task(self._listen(process)))

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            if not line.endswith(b"\n"):
                break  # it was killed in the middle of saying it: the message comes again
            row, _, outcome = line.decode().split()
            (self.handled if outcome == "handled" else self.failed)[int(row)] += 1
            if len(self.handled) > len(self.expected) // 3:
                self._third.set()

    async def kill_one(self, bars: Bars) -> None:
        """End one worker with SIGKILL in the middle of its work."""
        await self._third.wait()
        process = self._processes[0]
        process.send_signal(signal.SIGKILL)
        await process.wait()
        bars.note(f"killed a worker (SIGKILL to process {process.pid}); others get what it held")

    async def look(self, client: tapemq.Client) -> None:
        """Ask the broker how far the group is."""
        try:
            info = await client.describe_queue(late.TOPIC, late.GROUP)
        except tapemq.GroupNotFound:
            return  # no worker has come yet
        self.settled = sum(part.ack_floor + part.settled_above_floor for part in info.partitions)
        self.dead = info.dead

    async def stop(self) -> None:
        """Let those that are left finish, and end."""
        for process in self._processes:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        await asyncio.gather(*(process.wait() for process in self._processes))
        await asyncio.gather(*self._listening)

    @property
    def is_done(self) -> bool:
        """Whether everything is settled."""
        return self.settled >= len(self.expected)

    @property
    def again(self) -> int:
        """How often a row was handled, or failed, once more: a kill came before its ack or nack."""
        twice = self.handled.total() - len(self.handled)
        return twice + self.failed.total() - len(self.failed)

    @property
    def cut_short(self) -> int:
        """Rows that were to fail at first, and of which no worker said so: the kill came in that
        attempt. The broker counts it as a crash, and the next attempt is the second one."""
        return len(self._failing - self.failed.keys())

    @property
    def _failing(self) -> set[int]:
        return {row for row in self.expected if late.fails(row, 1)}

    @property
    def is_good(self) -> bool:
        """Each late flight was handled and settled, none more often, none is dead, and each that
        was to fail at first did, but for what the worker that was killed had at hand."""
        return (
            self.settled == len(self.expected)
            and not self.dead
            and self.handled.keys() == set(self.expected)
            and self.failed.keys() <= self._failing
            and self.cut_short <= late.AT_A_TIME
        )
