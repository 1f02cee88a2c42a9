import asyncio
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO

import pytest

from tapemq.worker import stopping
from tapemq.worker.stopping import Stopping

Make = Callable[..., Stopping]

FORKS = """
import asyncio, multiprocessing, os, signal, sys, threading
from tapemq.worker.stopping import Stopping

def work(is_up):
    is_up.set()
    threading.Event().wait()

async def main():
    stop = Stopping(60.0)
    stop.catch_signals()
    context = multiprocessing.get_context("fork")
    for number in (signal.SIGTERM, signal.SIGINT):
        is_up = context.Event()
        child = context.Process(target=work, args=(is_up,))
        child.start()
        if number == signal.SIGINT:  # at the very beginning, nobody would see KeyboardInterrupt
            is_up.wait()
        os.kill(child.pid, number)
        child.join(20.0)
        if child.is_alive():
            child.kill()
            sys.exit(f"{number!r} does not end a child")
    await asyncio.sleep(0)
    assert not stop.asked.is_set()
    os.kill(os.getpid(), signal.SIGTERM)
    await stop.asked.wait()
    stop.close()

asyncio.run(main())
"""

LEAVES_A_CHILD = """
import asyncio, os, signal, threading
from tapemq.worker.stopping import Stopping

async def main():
    stop = Stopping(1.0)
    stop.catch_signals()
    child = os.fork()
    if not child:
        threading.Event().wait()
    os.kill(os.getpid(), signal.SIGTERM)
    await stop.asked.wait()
    stop.close()
    return child

child = asyncio.run(main())
threads = [thread for thread in threading.enumerate() if thread.name == "tapemq-signals"]
try:
    for thread in threads:
        thread.join()
finally:
    os.kill(child, signal.SIGKILL)
"""


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> "queue.Queue[int]":
    """Exit codes with which the process would have ended."""
    codes: queue.Queue[int] = queue.Queue()
    monkeypatch.setattr(os, "_exit", codes.put)
    return codes


@pytest.fixture
def catching(codes: "queue.Queue[int]") -> Iterator[Make]:
    """Makes one that catches signals; afterwards nobody does."""
    made: list[Stopping] = []
    before = {number: signal.getsignal(number) for number in stopping._SIGNALS}

    def make(
        patience_s: float, end_at_once: Callable[[], None] = lambda: None, supervised: bool = False
    ) -> Stopping:
        made.append(Stopping(patience_s, end_at_once, supervised=supervised))
        made[-1].catch_signals()
        return made[-1]

    yield make
    for one in reversed(made):
        one.close()
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_the_first_signal_asks(catching: Make, caplog: pytest.LogCaptureFixture) -> None:
    stop = catching(60.0)
    with caplog.at_level(logging.INFO, "tapemq.worker"):
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.asked.wait()
    assert caplog.messages == ["stopping: SIGTERM; a second one stops at once"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
async def test_the_second_signal_ends_it_though_the_event_loop_is_kept(
    catching: Make, number: signal.Signals, code: int, codes: "queue.Queue[int]"
) -> None:
    done: list[str] = []
    stop = catching(60.0, lambda: done.append("killed"))
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), number)
    assert codes.get() == code  # no turn of the event loop in between
    assert done == ["killed"]
    assert not stop.asked.is_set()


async def test_stopping_does_not_take_for_ever(catching: Make, codes: "queue.Queue[int]") -> None:
    catching(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    assert codes.get() == 1


async def test_other_signals_mean_nothing(catching: Make) -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    try:
        stop = catching(60.0)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert seen == [signal.SIGUSR1]
        os.kill(os.getpid(), signal.SIGINT)
        await stop.asked.wait()
    finally:
        signal.signal(signal.SIGUSR1, before)


async def test_afterwards_signals_do_what_they_did_before(catching: Make) -> None:
    before = [signal.getsignal(number) for number in stopping._SIGNALS]
    catching(60.0).close()
    assert [signal.getsignal(number) for number in stopping._SIGNALS] == before


def test_signals_for_a_child_that_a_handler_has_forked_are_for_the_child() -> None:
    ran = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_a_child_that_stays_does_not_have_its_parent_ended_when_all_is_over() -> None:
    ran = subprocess.run([sys.executable, "-c", LEAVES_A_CHILD], stderr=subprocess.DEVNULL)
    assert ran.returncode == 0


async def test_its_thread_ends_with_it(catching: Make) -> None:
    others = threading.enumerate()  # the thread of another test may be about to end
    stop = catching(60.0)
    (thread,) = (t for t in threading.enumerate() if t.name == "tapemq-signals" and t not in others)
    stop.close()
    await asyncio.to_thread(thread.join)
    assert not thread.is_alive()


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[IO[bytes]]:
    """What the process that has started this one holds open."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin, os.fdopen(writing, "wb", buffering=0) as parent:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield parent


async def test_the_end_of_the_parent_asks(
    catching: Make, parent: IO[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    stop = catching(60.0, supervised=True)
    parent.write(b"x")
    parent.close()
    with caplog.at_level(logging.INFO, "tapemq.worker"):
        await stop.asked.wait()
    assert caplog.messages == ["stopping: the process that started this one is gone"]


async def test_a_process_without_its_parent_ends_though_the_event_loop_is_kept(
    catching: Make, parent: IO[bytes], codes: "queue.Queue[int]"
) -> None:
    catching(0.01, supervised=True)
    parent.close()
    assert codes.get(timeout=60.0) == 1  # no turn of the event loop in between


async def test_only_the_parent_ends_one_of_its_processes_at_once(
    catching: Make, parent: IO[bytes], codes: "queue.Queue[int]"
) -> None:
    """A manager of services signals all processes, and so does the parent then."""
    stop = catching(0.2, supervised=True)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    assert codes.get() == 1  # its patience is over
    await stop.asked.wait()


async def test_patience_may_be_as_long_as_anybody_likes(
    catching: Make, codes: "queue.Queue[int]"
) -> None:
    catching(1e9)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert codes.get(timeout=60.0) == 130
