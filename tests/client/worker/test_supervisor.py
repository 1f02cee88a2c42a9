import asyncio
import errno
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tapemq.worker.supervisor import Supervisor

# Says its process id, and waits for a signal or the end of its parent.
WAITS = """
import os, sys
with open(sys.argv[1], "w") as pipe:
    pipe.write(f"{os.getpid()}\\n")
sys.stdin.read()
"""


class Pipe:
    """What the processes say."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        # Open for both, so that no reader waits for a writer and no end is seen.
        self._file: IO[bytes] = os.fdopen(os.open(path, os.O_RDWR), "rb", buffering=0)

    async def line(self) -> str:
        return (await asyncio.to_thread(self._file.readline)).decode().strip()

    def close(self) -> None:
        self._file.close()


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    pipe = Pipe(tmp_path / "pipe")
    yield pipe
    pipe.close()


def running(pipe: Pipe, code: str, processes: int, stop: asyncio.Event) -> "asyncio.Task[int]":
    command = [sys.executable, "-c", code, str(pipe.path)]
    return asyncio.create_task(Supervisor(command, processes, first_pause_s=0.0).run(stop))


async def test_all_are_told_to_stop(pipe: Pipe) -> None:
    stop = asyncio.Event()
    supervising = running(pipe, WAITS, 2, stop)
    assert len({await pipe.line(), await pipe.line()}) == 2
    stop.set()
    assert await supervising == 0


async def test_one_that_crashes_is_replaced(pipe: Pipe, caplog: pytest.LogCaptureFixture) -> None:
    stop = asyncio.Event()
    supervising = running(pipe, WAITS, 1, stop)
    for _ in range(3):
        os.kill(int(await pipe.line()), signal.SIGKILL)
    await pipe.line()
    stop.set()
    assert await supervising == 0
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said == [
        f"process 1 was killed by SIGKILL; a new one starts in {pause} s" for pause in (0, 0, 0)
    ]


@pytest.mark.parametrize("code", [2, 3])
async def test_there_is_no_use_in_going_on_with_some_codes(pipe: Pipe, code: int) -> None:
    one = f"import sys; sys.exit({code})"
    assert await running(pipe, one, 2, asyncio.Event()) == code


@pytest.mark.parametrize(
    "refusal",
    [
        BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
        RuntimeError("can't start new thread"),
    ],
)
async def test_one_that_cannot_be_started_leaves_the_others_alone(
    pipe: Pipe,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    refusal: Exception,
) -> None:
    start, tries = asyncio.create_subprocess_exec, 0

    async def start_sometimes(*args: Any, **options: Any) -> asyncio.subprocess.Process:
        nonlocal tries
        tries += 1
        if tries in (3, 4):
            raise refusal
        return await start(*args, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start_sometimes)
    stop = asyncio.Event()
    supervising = running(pipe, WAITS, 2, stop)
    one, other = int(await pipe.line()), int(await pipe.line())
    os.kill(one, signal.SIGKILL)
    assert int(await pipe.line()) not in (one, other)
    os.kill(other, 0)  # it is there
    assert f"cannot be started: {refusal}" in caplog.text
    stop.set()
    assert await supervising == 0


async def test_an_unreachable_broker_is_waited_for_later_on(pipe: Pipe) -> None:
    second = WAITS + "sys.exit(3)"
    stop = asyncio.Event()
    code = f"""
import os, sys
if os.path.exists(sys.argv[1] + ".seen"):
    {second.strip().replace(chr(10), chr(10) + "    ")}
open(sys.argv[1] + ".seen", "w").close()
sys.exit(1)
"""
    supervising = running(pipe, code, 1, stop)
    os.kill(int(await pipe.line()), signal.SIGKILL)
    await pipe.line()
    stop.set()
    assert await supervising == 0


async def test_all_can_be_killed(pipe: Pipe) -> None:
    stop = asyncio.Event()
    ignores = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITS
    command = [sys.executable, "-c", ignores, str(pipe.path)]
    supervisor = Supervisor(command, 2)
    supervising = asyncio.create_task(supervisor.run(stop))
    await pipe.line()
    await pipe.line()
    stop.set()
    await asyncio.sleep(0)
    supervisor.kill()
    assert await supervising == 0
