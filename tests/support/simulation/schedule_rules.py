"""Rules on what is published for later. That it comes at most once is ``duplicate``'s."""

from collections.abc import Iterator
from typing import Final

from tests.support.simulation.clocks import virtual_s
from tests.support.simulation.history import History, Outcome, Schedule

LATE_S: Final = 30.0
"""How long a broker may be up and not publish what is due: its disk may be full, or it paused."""


def unfired(history: History) -> Iterator[str]:
    """What was scheduled is never published."""
    values = {value for _, value in history.final_places()}
    for schedule in history.schedules:
        may_be_cancelled = schedule.cancel not in (None, Outcome.FAILED)
        if schedule.outcome is Outcome.OK and schedule.value not in values and not may_be_cancelled:
            yield f"{schedule.value!r}, due at {schedule.due}, is not in {schedule.topic}"


def early(history: History) -> Iterator[str]:
    """A record is published before its time, by a clock that has never shown that time."""
    for schedule in history.schedules:
        came, due = history.scheduled_times.get(schedule.value), schedule.due
        if came is None or due is None or came >= due:
            continue
        if not any(shown >= due for shown in history.set_back):
            yield f"{schedule.value!r} came at {came}, and was due at {schedule.due}"


def late(history: History) -> Iterator[str]:
    """A record is published long after its time, though the broker was there."""
    for schedule in history.schedules:
        came, due = history.scheduled_times.get(schedule.value), schedule.due
        if came is None or due is None or history.jumps or history.rot:
            continue
        since_s, came_s = max(schedule.done_s, virtual_s(due)), virtual_s(came)
        up_s = sum(max(min(end, came_s) - max(start, since_s), 0.0) for start, end in history.up)
        if up_s > LATE_S:
            yield f"{schedule.value!r} came at {came}, and was due at {due}"


def cancelled(history: History) -> Iterator[str]:
    """A record is published although its schedule was cancelled."""
    values = {value for _, value in history.final_places()}
    for schedule in history.schedules:
        if schedule.cancel is Outcome.OK and schedule.value in values:
            yield f"{schedule.value!r} was cancelled: {_told(schedule)}"


def _told(schedule: Schedule) -> str:
    return f"scheduled at {schedule.invoked_s:.6f} s, due at {schedule.due}"
