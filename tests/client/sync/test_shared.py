import gc
import weakref

import pytest

from tapemq._clock import Clock
from tapemq.errors import Error, PartitionNotFound
from tapemq.sync.shared import Shared
from tests.support.blocking import in_thread, outcome


class HandClock(Clock):
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def shared(clock: HandClock) -> Shared:
    return Shared(clock)


def test_what_is_soon_runs_at_the_end_of_the_turn(shared: Shared) -> None:
    seen: list[str] = []
    with shared.lock, shared.turn:
        shared.call_soon(seen.append, "soon")
        seen.append("now")
    assert seen == ["now", "soon"]


def test_refusal_ends_a_turn_like_any_other(shared: Shared) -> None:
    seen: list[object] = []
    shared.on_interrupt = seen.append

    def refused() -> None:
        with shared.lock, shared.turn:
            shared.call_soon(seen.append, "soon")
            raise PartitionNotFound("no")

    with pytest.raises(PartitionNotFound):
        refused()
    assert seen == ["soon"]


@pytest.mark.parametrize("is_late", [False, True])
def test_interrupt_in_a_turn_fails_the_client(shared: Shared, is_late: bool) -> None:
    """Half done is worse than not done: a record could be skipped or sent twice."""
    seen: list[Error] = []
    shared.on_interrupt = seen.append

    def interrupt() -> None:
        raise KeyboardInterrupt

    def work() -> None:
        with shared.lock, shared.turn:
            if is_late:
                shared.call_soon(interrupt)
            else:
                interrupt()

    with pytest.raises(KeyboardInterrupt):
        work()
    assert len(seen) == 1
    assert "interrupted in the middle" in str(seen[0])
    assert outcome(in_thread(shared.lock.acquire, blocking=False))


def test_timers_run_when_they_are_due(shared: Shared, clock: HandClock) -> None:
    seen: list[str] = []
    woken: list[float] = []
    shared.wake = lambda: woken.append(clock.now)
    assert shared.due_in_s() is None
    shared.call_later(2.0, seen.append, "late")
    shared.call_later(1.0, seen.append, "early")
    shared.call_later(3.0, seen.append, "never").cancel()
    shared.call_later(0.5, seen.append, "cancelled").cancel()
    assert len(woken) == 3  # each that was the next one
    clock.now = 1.0
    shared.run_due()
    assert seen == ["early"]
    assert shared.due_in_s() == 1.0
    clock.now = 5.0
    assert shared.due_in_s() == 0.0
    shared.run_due()
    assert seen == ["early", "late"]
    assert shared.due_in_s() is None


def test_forked_process_has_nothing_of_the_parent_s(shared: Shared) -> None:
    seen: list[str] = []
    shared.lock.acquire()  # as a thread does that is not there any more
    shared.call_soon(seen.append, "soon")
    shared.call_later(0.0, seen.append, "due")
    shared.renew()
    with shared.lock, shared.turn:
        shared.run_due()
    assert seen == []


def test_timers_that_were_cancelled_are_not_kept_until_they_are_due(shared: Shared) -> None:
    kept = Shared(Clock())
    noted = weakref.ref(kept)
    shared.call_later(1e9, kept.run_soon).cancel()
    del kept
    gc.collect()
    assert noted() is None
    for _ in range(1000):
        shared.call_later(1e9, list).cancel()
    due = [shared.call_later(1.0, list) for _ in range(1000)]
    assert len(shared._timers) <= 2 * len(due)
    assert shared.due_in_s() == 1.0
