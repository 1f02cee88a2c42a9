"""Consumers as a test sees them: a nursery of processes that are killed and come anew."""

import asyncio
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.sources import ROOT


class Consumers:
    """``async with Consumers(...)``: leaving it lets those that live end in peace."""

    def __init__(self, url: str, journal: Path, *, seed: int, kills: int) -> None:
        self._arguments = (url, str(journal), str(seed), str(kills))
        self._errors = journal.with_suffix(".stderr")
        self._process: asyncio.subprocess.Process
        self._counting: asyncio.Task[None]
        self.killed = 0

    async def __aenter__(self) -> Self:
        with self._errors.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.support.crash.queue.nursery", *self._arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
            )
        self._counting = asyncio.create_task(self._count())
        return self

    async def _count(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.killed = int(line)

    def have_lost(self, kills: int) -> bool:
        """Whether so many were killed."""
        return self.killed >= kills

    def check(self) -> None:
        """Raise AssertionError if consumers have failed."""
        errors = self._errors.read_text()
        assert not errors, errors[-4000:]
        assert self._process.returncode is None

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = await self._process.wait()
        await self._counting
        assert status == 0, self._errors.read_text()[-4000:]
