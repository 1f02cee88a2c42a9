"""Keeps several processes of a worker running."""

import asyncio
import logging
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from tapemq.worker.exits import Exit

log = logging.getLogger("tapemq.worker")

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_SOUND_S: Final = 60.0
"""A process that ran so long did not fail at its start."""


class Supervisor:
    """Runs a command in so many processes, and anew each time that one ends unasked.

    A process that fails again and again is started after pauses of 1, 2, 4 ... 30 s. Each has a
    session of its own, so that Ctrl-C reaches this process alone, and a pipe as its standard
    input, which ends with this process.
    """

    def __init__(
        self, command: Sequence[str], processes: int, first_pause_s: float = _FIRST_PAUSE_S
    ) -> None:
        self._command = command
        self._count = processes
        self._first_pause_s = first_pause_s
        self._running: dict[int, asyncio.subprocess.Process] = {}

    async def run(self, stop: asyncio.Event) -> int:
        """Until ``stop`` is set, or one finds that none can run; its exit code, else 0."""
        keepers = [asyncio.create_task(self._keep(n, stop)) for n in range(1, self._count + 1)]
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((*keepers, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        asked = stop.is_set()
        stop.set()
        self._signal(signal.SIGTERM)
        codes = await asyncio.gather(*keepers)
        return Exit.OK if asked else max(codes)

    def kill(self) -> None:
        """End all processes at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._running.values():
            with suppress(ProcessLookupError):
                process.send_signal(number)

    async def _keep(self, number: int, stop: asyncio.Event) -> int:
        """Run one of the processes; the exit code for which there is no use in going on."""
        pause_s, first = self._first_pause_s, True
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            begun = loop.time()
            try:
                code = await self._run_one(number, stop)
            # Too little memory, too many processes, or no thread to wait for it: the others go on.
            except (OSError, RuntimeError) as error:
                ended = f"cannot be started: {error}"
            else:
                if code == Exit.USAGE or (code == Exit.UNREACHABLE and first):
                    return code
                ended = _ended(code)
            if stop.is_set():
                break
            first = False
            if loop.time() - begun >= _SOUND_S:
                pause_s = self._first_pause_s
            log.error("process %d %s; a new one starts in %g s", number, ended, pause_s)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stop.wait(), pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return Exit.OK

    async def _run_one(self, number: int, stop: asyncio.Event) -> int:
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=subprocess.PIPE, start_new_session=True
        )
        self._running[number] = process
        if stop.is_set():  # it began while the others were told
            process.terminate()
        try:
            return await process.wait()
        finally:
            del self._running[number]


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
