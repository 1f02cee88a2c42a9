import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from tapemq.worker import stopping
from tapemq.worker.stopping import Stopping


class Ended(Exception):
    """Instead of the end of the process."""


class Timer(threading.Timer):
    """Does not run: the test's process would end."""

    def start(self) -> None: ...


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Exit codes with which the process would have ended."""
    monkeypatch.setattr(threading, "Timer", Timer)
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        raise Ended

    monkeypatch.setattr(os, "_exit", end)
    before = {number: signal.getsignal(number) for number in stopping._SIGNALS}
    yield codes
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("codes")
async def test_the_first_signal_asks(caplog: pytest.LogCaptureFixture) -> None:
    asked = Stopping(60.0)
    asked.catch_signals()
    with caplog.at_level(logging.INFO, "tapemq.worker"):
        os.kill(os.getpid(), signal.SIGTERM)
        await asked.asked.wait()
    assert caplog.messages == ["stopping: SIGTERM; a second one stops at once"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
async def test_the_second_signal_ends_it_at_once(
    number: signal.Signals, code: int, codes: list[int]
) -> None:
    done = []
    asked = Stopping(60.0, lambda: done.append("killed"))
    asked.catch_signals()
    os.kill(os.getpid(), signal.SIGTERM)
    # No turn of the event loop in between: a handler may keep it.
    with pytest.raises(Ended):
        os.kill(os.getpid(), number)
    assert (codes, done) == ([code], ["killed"])


async def test_stopping_does_not_take_for_ever(
    codes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[Timer] = []
    monkeypatch.setattr(Timer, "start", lambda timer: timers.append(timer))
    asked = Stopping(40.0)
    asked.catch_signals()
    os.kill(os.getpid(), signal.SIGTERM)
    (timer,) = timers
    assert (timer.interval, timer.daemon) == (40.0, True)
    with pytest.raises(Ended):
        timer.function()
    assert codes == [1]


async def test_the_end_of_the_parent_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        asked = Stopping(60.0)
        asked.watch_parent()
        os.write(writing, b"x")
        await asyncio.sleep(0)
        assert not asked.asked.is_set()
        os.close(writing)
        await asked.asked.wait()
