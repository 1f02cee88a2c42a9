"""The rules of schedules against histories that are wrong on purpose."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.simulation.checker import check
from tests.support.simulation.clocks import EPOCH_US
from tests.support.simulation.history import History, LogName, Outcome, Schedule

LOG = LogName("orders", 0)
DUE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def history() -> History:
    """One has come, one was cancelled, of one nobody knows."""
    return History(
        schedules=[
            Schedule("orders", b"a", 1.0, Outcome.OK, DUE, Outcome.FAILED, 1.5),
            Schedule("orders", b"b", 1.0, Outcome.OK, DUE, Outcome.OK),
            Schedule("orders", b"c", 1.0, Outcome.UNKNOWN),
            Schedule("orders", b"d", 1.0, Outcome.FAILED),
        ],
        final={LOG: {0: b"a"}},
        scheduled_times={b"a": DUE},
        up=[(0.0, 30.0)],
    )


def broken(history: History) -> set[str]:
    return set(check(history))


def test_good_history(history: History) -> None:
    assert broken(history) == set()
    history.final[LOG][1] = b"c"
    assert broken(history) == set()
    assert history.operations() == 4 + len(history.final[LOG])


def test_unfired(history: History) -> None:
    history.final[LOG].clear()
    assert broken(history) == {"unfired"}
    history.schedules[0].cancel = Outcome.UNKNOWN
    assert broken(history) == set()


def test_fired_twice(history: History) -> None:
    history.final[LOG][1] = b"a"
    assert broken(history) == {"duplicate"}


def test_early(history: History) -> None:
    history.scheduled_times[b"a"] = DUE - timedelta(microseconds=1)
    assert broken(history) == {"early"}
    history.set_back = [DUE - timedelta(microseconds=1)]
    assert broken(history) == {"early"}


def test_a_clock_that_had_shown_the_time_was_set_back(history: History) -> None:
    history.scheduled_times[b"a"] = DUE - timedelta(seconds=1)
    history.set_back = [DUE]
    assert broken(history) == set()


def test_cancelled(history: History) -> None:
    history.final[LOG][1] = b"b"
    assert broken(history) == {"cancelled"}


def test_refused(history: History) -> None:
    history.final[LOG][1] = b"d"
    assert broken(history) == {"phantom"}


def test_late(history: History) -> None:
    schedule = history.schedules[0]
    schedule.due = at(2.0)
    history.scheduled_times[b"a"] = at(20.0)
    assert broken(history) == set()
    history.scheduled_times[b"a"] = at(33.0)
    history.up = [(0.0, 40.0)]
    assert broken(history) == {"late"}
    away = replace(history, up=[(0.0, 9.0), (12.0, 40.0)])
    for excuse in (away, replace(history, jumps=[1.0]), replace(history, rot=True)):
        assert broken(excuse) == set()
    schedule.done_s = 9.0
    assert broken(history) == set()


def at(virtual_s: float) -> datetime:
    return datetime.fromtimestamp(EPOCH_US // 1_000_000, UTC) + timedelta(seconds=virtual_s)
