"""`tapemq worker` as a process, against a broker in another one."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

import tapemq
from tests.support.crash.forked_broker import ForkedBroker

JOBS = """\
import os
import threading
import tapemq

app = tapemq.App()
gate = os.path.join(os.path.dirname(__file__), "gate")


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())


@app.handler("waits", group="g")
async def waits(message):
    say("begun", message.attempt)
    with open(gate) as file:  # keeps the event loop until the test opens it, too
        file.read()
    say("done")


@app.handler("blocks", group="g", lease=1)
def blocks(message):
    say("begun", message.attempt)
    threading.Event().wait(1.5)
    say("done")


@app.handler("hangs", group="g")
def hangs(message):
    say("begun", message.attempt)
    threading.Event().wait()


@app.handler("kills", group="g")
async def kills(message):
    say("begun", message.attempt)
    if message.attempt == 1:
        os.kill(os.getpid(), 9)
    say("done")
"""


class Worker:
    """A started worker, with pipes for its output."""

    def __init__(self, directory: Path, url: str, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tapemq", "worker", "jobs:app", "--url", url, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=directory,
            text=True,
        )

    def signal(self, number: int = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    def says(self, line: str) -> None:
        """Its next line is this one."""
        said = _stream(self._process.stdout).readline()
        if said != line + "\n":
            self._process.kill()
            raise AssertionError((said, *self.end()))

    def logs(self, text: str) -> None:
        """Wait until it has logged the text."""
        for line in _stream(self._process.stderr):
            if re.search(text, line):
                return
        raise AssertionError(f"it never logged {text!r}")

    def end(self) -> tuple[int, str, str]:
        """Its exit code, and what else it printed."""
        out, err = self._process.communicate()
        return self._process.returncode, out, err

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def _stream(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = ForkedBroker(tmp_path_factory.mktemp("worker") / "data")
    broker.start()
    yield broker.url
    assert broker.stop() == 0


Start = Callable[..., Worker]


@pytest.fixture
def start(tmp_path: Path, broker_url: str) -> Iterator[Start]:
    """Starts workers; they are ended whatever happens."""
    (tmp_path / "jobs.py").write_text(JOBS)
    os.mkfifo(tmp_path / "gate")
    workers: list[Worker] = []

    def start(*options: str) -> Worker:
        workers.append(Worker(tmp_path, broker_url, *options))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


async def settle_all(url: str, topic: str) -> int:
    """Take what is left of a topic's one message; which attempt it is."""
    async with await tapemq.connect(url) as client, client.queue(topic, group="g") as queue:
        async for message in queue:
            await message.ack(confirm=True)
            return message.attempt
    raise AssertionError("nothing came")


async def lag(url: str, topic: str) -> int:
    async with await tapemq.connect(url) as client:
        return (await client.group(topic, "g")).lag


async def publish(url: str, topic: str) -> None:
    async with await tapemq.connect(url) as client:
        await client.publish(topic, "v")


async def test_a_signal_in_the_middle_of_a_handler_lets_it_end(
    start: Start, broker_url: str, tmp_path: Path
) -> None:
    await publish(broker_url, "waits")
    worker = start()
    worker.says("begun 1")
    worker.signal()
    (tmp_path / "gate").write_text("open")
    worker.says("done")
    assert worker.end()[0] == 0
    assert await lag(broker_url, "waits") == 0


async def test_a_second_signal_ends_it_though_the_event_loop_is_kept(
    start: Start, broker_url: str
) -> None:
    await publish(broker_url, "waits")
    worker = start()
    worker.says("begun 1")
    # The interpreter sees a signal only between two lines of Python, or when it interrupts a call:
    # as it does here, twice. The same one twice at a time would be one.
    worker.signal(signal.SIGINT)
    worker.signal(signal.SIGTERM)
    assert worker.end()[0] in (130, 143)
    assert await settle_all(broker_url, "waits") in (1, 2)


async def test_what_takes_longer_than_the_grace_comes_again(start: Start, broker_url: str) -> None:
    await publish(broker_url, "hangs")
    worker = start("--grace", "0")
    worker.says("begun 1")
    worker.signal()
    code, _, err = worker.end()
    assert code == 0
    assert "1 messages are still in hand after 0 s: they are given back" in err
    assert await settle_all(broker_url, "hangs") == 1


async def test_a_plain_handler_may_block_for_longer_than_its_lease(
    start: Start, broker_url: str
) -> None:
    await publish(broker_url, "blocks")
    worker = start("--log-level", "debug")
    worker.says("begun 1")
    worker.says("done")
    worker.logs("blocks 0:0 attempt 1: done")
    worker.signal()
    assert worker.end()[:2] == (0, "")
    assert await lag(broker_url, "blocks") == 0


async def test_a_handler_that_kills_its_process_is_counted(start: Start, broker_url: str) -> None:
    await publish(broker_url, "kills")
    worker = start("--processes", "2")
    worker.logs("process . was killed by SIGKILL; a new one starts in 1 s")
    worker.says("begun 1")
    worker.says("begun 1")  # the first time nobody knew yet that it had begun
    worker.says("begun 2")
    worker.says("done")
    worker.signal()
    assert worker.end()[0] == 0
    assert await lag(broker_url, "kills") == 0


async def test_the_processes_end_with_the_one_that_looks_after_them(
    start: Start, broker_url: str
) -> None:
    worker = start("--processes", "2")
    for _ in range(2):
        worker.logs("kills takes messages")
    worker.signal(signal.SIGKILL)
    # Both have to close standard error, or this would not end.
    assert worker.end()[2].count("the process that started this one is gone") == 2
