from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from tapemq.schedules.due import Due, due_at, milliseconds, wire_due


def test_a_delay_that_is_no_duration_is_named() -> None:
    with pytest.raises(TypeError, match="delay is a number of seconds or a timedelta, not '5'"):
        milliseconds("delay", "5")  # type: ignore[arg-type]


def test_a_delay_is_rounded_up_and_never_early() -> None:
    assert wire_due(1.5, None) == Due(0, 1500)
    assert wire_due(0.0001, None) == Due(0, 1)
    assert wire_due(timedelta(minutes=1), None) == Due(0, 60_000)
    assert wire_due(0, None) == wire_due(None, None) == Due()


def test_a_time_has_a_zone() -> None:
    moment = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    assert wire_due(None, moment) == Due(int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 10**6)
    with pytest.raises(ValueError, match="time zone"):
        wire_due(None, moment.replace(tzinfo=None))
    with pytest.raises(ValueError, match="start is a datetime with a time zone"):
        due_at("start", moment.replace(tzinfo=None))


@pytest.mark.parametrize("time", [1_800_000_000, "2026-01-01", date(2026, 1, 1)])
def test_what_is_no_time_is_named(time: Any) -> None:
    with pytest.raises(TypeError, match="start is a datetime, not"):
        due_at("start", time)


def test_a_time_long_ago_is_now() -> None:
    assert wire_due(None, datetime(1900, 1, 1, tzinfo=UTC)) == Due(1)


def test_only_one_of_them_is_given() -> None:
    with pytest.raises(ValueError, match="not both"):
        wire_due(1, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("duration", [-1, float("nan"), float("inf"), 1e11, timedelta(seconds=-1)])
def test_a_duration_is_not_negative_nor_endless(duration: float | timedelta) -> None:
    with pytest.raises(
        ValueError, match="every is not negative and less than 100,000,000,000 seconds"
    ):
        milliseconds("every", duration)
