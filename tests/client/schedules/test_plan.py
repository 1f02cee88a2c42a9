from datetime import timedelta
from typing import Any

import pytest

from tapemq.schedules.due import Due
from tapemq.schedules.plan import Plan, plan_of, recurring_plan
from tests.support.scheduled_broker import START

ONCE: dict[str, Any] = {
    "cron": None, "every": None, "time_zone": "UTC", "catch_up": "last", "start": None,
    "schedule_key": None,
}  # fmt: skip


def test_what_is_not_for_later_has_no_plan() -> None:
    assert plan_of(None, None, None) is None
    assert plan_of(1.5, None, "k") == Plan(Due(delay_ms=1500), b"k")
    assert plan_of(None, None, "k") == Plan(Due(), b"k")
    with pytest.raises(ValueError, match="not both"):
        plan_of(1, START, None)


def test_what_recurs_has_a_cron_or_an_interval() -> None:
    every = recurring_plan(**ONCE | {"every": timedelta(seconds=2), "catch_up": "all"})
    assert every == Plan(every_ms=2000, catch_up="all")
    cron = recurring_plan(**ONCE | {"cron": "* * * * *", "start": START})
    assert (cron.cron, cron.due.due_us > 0) == ("* * * * *", True)
    for choice in ({}, {"cron": "* * * * *", "every": 1}):
        with pytest.raises(ValueError, match="one of them"):
            recurring_plan(**ONCE | choice)


@pytest.mark.parametrize(
    ("choice", "said"),
    [({"every": 0}, "at least 1"), ({"every": timedelta()}, "at least 1"), ({"cron": ""}, "''")],
)
def test_what_recurs_never_is_refused(choice: dict[str, Any], said: str) -> None:
    """The broker would take it for a record that comes once, at once."""
    with pytest.raises(ValueError, match=said):
        recurring_plan(**ONCE | choice)


def test_what_is_alone() -> None:
    assert Plan(Due(5)).is_plain
    assert not any(plan.is_plain for plan in (Plan(key=b"k"), Plan(cron="* * * * *")))
    assert not Plan(every_ms=1000).is_plain
