import threading
from typing import Any

import pytest

from tapemq import sync
from tapemq._clock import Clock
from tapemq.sync.scheduler import Scheduler
from tapemq.sync.shared import Shared
from tapemq.sync.underway import Underway
from tests.support.blocking import LONG_S, in_thread, outcome
from tests.support.scheduled_sync import Call, blocking


def test_only_what_is_under_way_is_waited_for() -> None:
    underway = Underway(Shared(Clock()))
    assert underway.drain(0)
    with underway.call():
        assert not underway.drain(0)
        draining = in_thread(underway.drain, LONG_S)
    assert outcome(draining)
    assert underway.drain(0)


def test_a_call_that_fails_is_over() -> None:
    underway = Underway(Shared(Clock()))
    with pytest.raises(ZeroDivisionError), underway.call():
        raise ZeroDivisionError
    assert underway.drain(0)


def test_what_a_signal_handler_has_interrupted_is_not_waited_for() -> None:
    underway = Underway(Shared(Clock()))

    def interrupted() -> bool:
        with underway.call():
            return underway.drain(10 * LONG_S)

    assert not outcome(in_thread(interrupted))
    assert underway.drain(0)


async def test_closing_the_client_waits_for_what_is_being_scheduled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, asked = threading.Event(), threading.Event()
    drain, schedule = Underway.drain, Scheduler.schedule

    def noted(self: Underway, timeout: float) -> bool:
        asked.set()
        return drain(self, timeout)

    def held(self: Scheduler, *arguments: Any) -> Any:
        begun.set()
        assert asked.wait(LONG_S)
        return schedule(self, *arguments)

    def work(client: sync.Client, _: Call) -> None:
        scheduling = in_thread(client.schedule, "t", b"x", every=60)
        assert begun.wait(LONG_S)
        client.close()
        assert outcome(scheduling).schedule_id == 1

    monkeypatch.setattr(Underway, "drain", noted)
    monkeypatch.setattr(Scheduler, "schedule", held)
    await blocking(work)
