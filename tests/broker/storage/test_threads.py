"""Threads that are started before they are needed, and a system that has no more of them."""

import threading

import pytest

from tapemq_broker.storage.threads import NoThreads, started


def running(name: str) -> int:
    return sum(thread.name.startswith(name) for thread in threading.enumerate())


class Limit:
    """So many threads can still be started."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
        self._left = left
        self._start = threading.Thread.start
        monkeypatch.setattr(threading.Thread, "start", lambda thread: self.start(thread))

    def start(self, thread: threading.Thread) -> None:
        self._left -= 1
        if self._left < 0:
            raise RuntimeError("can't start new thread")
        self._start(thread)


def test_all_run_before_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    Limit(monkeypatch, 4)
    together = threading.Barrier(4)
    with started(4, "early") as threads:
        assert running("early") == 4
        at_once = [threads.submit(together.wait, 30) for _ in range(4)]
        assert sorted(one.result() for one in at_once) == [0, 1, 2, 3]
    assert running("early") == 0


@pytest.mark.parametrize("left", [0, 3])
def test_where_there_are_too_few_none_is_left(monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    Limit(monkeypatch, left)
    with pytest.raises(NoThreads, match=r"4 threads 'late' .* can't start .* TasksMax"):
        started(4, "late")
    assert running("late") == 0
