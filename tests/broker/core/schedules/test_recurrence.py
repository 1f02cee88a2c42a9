from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.schedules.recurrence import (
    Times,
    check_due,
    check_recurrence,
    due_times,
    last_us,
    next_us,
)
from tapemq_broker.core.schedules.schedule import Recurrence, Schedule

S = 1_000_000
HOUR = 3600 * S
BERLIN = "Europe/Berlin"


def zones(name: str) -> tzinfo:
    if name == "Nowhere":
        raise ValueError("there is no time zone 'Nowhere'")
    return ZoneInfo(name)


def us(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * S


def times(cron: str, start: str, *, zone: str = BERLIN) -> Iterator[str]:
    after = us(start)
    recurrence = Recurrence(cron, zone)
    while after := next_us(recurrence, after, after, zones):
        yield datetime.fromtimestamp(after / S, ZoneInfo(zone)).isoformat()


def test_cron_follows_the_time_zone() -> None:
    assert list(islice(times("30 6 * * *", "2026-01-01T00:00:00"), 2)) == [
        "2026-01-01T06:30:00+01:00",
        "2026-01-02T06:30:00+01:00",
    ]


def test_a_fixed_time_in_the_hour_that_is_skipped_comes_right_behind_it() -> None:
    assert list(islice(times("30 2 * * *", "2026-03-28T12:00:00"), 2)) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


@pytest.mark.parametrize("start", ["2026-10-24T12:00:00", "2026-10-25T00:10:00"])
def test_a_fixed_time_in_the_hour_that_is_repeated_comes_once(start: str) -> None:
    assert list(islice(times("30 2 * * *", start), 2)) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]


def test_within_the_repeated_hour_the_next_fixed_time_is_tomorrow() -> None:
    # 01:10 UTC is 02:10 for the second time; 02:30 was there already.
    assert next(times("30 2 * * *", "2026-10-25T01:10:00")) == "2026-10-26T02:30:00+01:00"


def test_what_comes_every_hour_comes_in_both_of_them() -> None:
    assert list(islice(times("0 * * * *", "2026-10-24T23:30:00"), 3)) == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_every_counts_from_any_of_its_times() -> None:
    every = Recurrence(every_ms=5000)
    assert next_us(every, 12 * S, 12 * S, zones) == 17 * S
    assert next_us(every, 12 * S, 31 * S, zones) == 32 * S
    assert next_us(every, 12 * S, 32 * S, zones) == 37 * S
    assert last_us(every, 12 * S, 31 * S, zones) == 27 * S
    assert last_us(every, 12 * S, 12 * S, zones) == 12 * S


def test_the_last_time_of_cron() -> None:
    hourly = Recurrence("0 * * * *")
    assert last_us(hourly, us("2026-01-01T01:00"), us("2026-01-01T05:59"), zones) == us(
        "2026-01-01T05:00"
    )
    assert last_us(hourly, us("2026-01-01T01:00"), us("2026-01-01T05:00"), zones) == us(
        "2026-01-01T05:00"
    )
    assert last_us(hourly, us("2026-01-01T01:00"), us("2026-01-01T01:00"), zones) == us(
        "2026-01-01T01:00"
    )


def test_a_cron_that_is_never_met_has_no_next_time() -> None:
    assert next_us(Recurrence("* * */20 * 1L"), 0, us("2026-01-01T00:00"), zones) == 0


@pytest.mark.parametrize(
    ("recurrence", "text"),
    [
        (Recurrence("61 * * * *"), "Bad minute"),
        (Recurrence("* * *"), "Wrong number"),
        (Recurrence("* * * * *", "Nowhere"), "no time zone"),
        (Recurrence("* * * * *", every_ms=1000), "not both"),
        (Recurrence(every_ms=999), "at least 1000"),
        (Recurrence(every_ms=2**63), "at most 9223372036854775807"),
        (Recurrence(every_ms=1000, catch_up="some"), "one of all, last, none"),
    ],
)
def test_what_cannot_come_again_is_refused(recurrence: Recurrence, text: str) -> None:
    with pytest.raises(Refused, match=text):
        check_recurrence(recurrence, zones)


def test_times_have_an_end() -> None:
    assert check_due(1) == 1
    for due_us in (0, 10**18):
        with pytest.raises(Refused, match="out of range"):
            check_due(due_us)


def at(recurrence: Recurrence, now_s: float, up_since_s: float = 0) -> Times:
    """For a schedule that was due at 10 s."""
    schedule = Schedule(1, 10 * S, 0, b"", b"", 0, recurrence)
    return due_times(schedule, int(now_s * S), int(up_since_s * S), zones)


def test_what_comes_once_comes_however_late() -> None:
    assert at(Recurrence(), 10**6, 10**6) == Times((10 * S,), 0)


@pytest.mark.parametrize("catch_up", ["all", "last", "none"])
def test_in_time_the_catch_up_rule_does_not_matter(catch_up: str) -> None:
    every = Recurrence(every_ms=5000, catch_up=catch_up)
    assert at(every, 10.1) == Times((10 * S,), 15 * S)


def test_all_of_what_was_missed_comes() -> None:
    every = Recurrence(every_ms=5000, catch_up="all")
    assert at(every, 21, up_since_s=20.5) == Times((10 * S, 15 * S, 20 * S), 25 * S)


def test_much_that_was_missed_comes_in_parts() -> None:
    every = Recurrence(every_ms=1000, catch_up="all")
    found = at(every, 10_000)
    assert len(found.fire_us) == 100
    assert found.next_us == 110 * S


@pytest.mark.parametrize(("record_bytes", "count"), [(10_000, 100), (100_000, 10), (2**21, 1)])
def test_large_records_that_were_missed_come_in_smaller_parts(
    record_bytes: int, count: int
) -> None:
    every = Recurrence(every_ms=1000, catch_up="all")
    schedule = Schedule(1, 10 * S, 0, b"", bytes(record_bytes), 0, every)
    found = due_times(schedule, 10_000 * S, 0, zones)
    assert len(found.fire_us) == count
    assert found.next_us == (10 + count) * S


def test_the_last_of_what_was_missed_comes() -> None:
    every = Recurrence(every_ms=5000, catch_up="last")
    assert at(every, 21, up_since_s=20.5) == Times((20 * S,), 25 * S)


def test_none_of_what_was_missed_comes() -> None:
    every = Recurrence(every_ms=5000, catch_up="none")
    assert at(every, 21, up_since_s=20.5) == Times((), 25 * S)
    assert at(every, 21, up_since_s=19) == Times((20 * S,), 25 * S)


@pytest.mark.parametrize("catch_up", ["all", "last", "none"])
def test_what_is_a_little_late_while_the_broker_is_up_is_not_missed(catch_up: str) -> None:
    every = Recurrence(every_ms=1000, catch_up=catch_up)
    assert at(every, 13.5) == Times((10 * S, 11 * S, 12 * S, 13 * S), 14 * S)
    cron = Recurrence("*/2 * * * * *", catch_up=catch_up)
    assert at(cron, 13.5) == Times((10 * S, 12 * S), 14 * S)


@pytest.mark.parametrize("catch_up", ["last", "none"])
def test_behind_what_was_missed_the_rest_comes(catch_up: str) -> None:
    every = Recurrence(every_ms=1000, catch_up=catch_up)
    assert at(every, 23.5, up_since_s=21.5) == Times((22 * S, 23 * S), 24 * S)
    found = at(every, 200)
    assert found.fire_us == tuple(second * S for second in range(140, 201))
    cron = Recurrence("* * * * * *", BERLIN, catch_up=catch_up)
    assert at(cron, 23.5, up_since_s=22) == Times((22 * S, 23 * S), 24 * S)


def test_more_than_a_minute_late_is_missed() -> None:
    rarely = Recurrence(every_ms=1_000_000, catch_up="none")
    assert at(rarely, 69.9) == Times((10 * S,), 1010 * S)
    assert at(rarely, 70.1) == Times((), 1010 * S)


@pytest.mark.parametrize(
    ("zone", "start", "first", "second"),
    [
        # Clocks are set forward by half an hour, from 02:00 to 02:30.
        ("Australia/Lord_Howe", "2026-10-03T00:00:00", "2026-10-04T02:30:00+11:00",
         "2026-10-05T02:15:00+11:00"),
        # There is no midnight: they are set forward at 00:00.
        ("America/Santiago", "2026-09-05T12:00:00", "2026-09-06T02:15:00-03:00",
         "2026-09-07T02:15:00-03:00"),
    ],
)  # fmt: skip
def test_zones_that_change_otherwise(zone: str, start: str, first: str, second: str) -> None:
    assert list(islice(times("15 2 * * *", start, zone=zone), 2)) == [first, second]


def test_a_midnight_that_is_skipped_comes_at_one() -> None:
    found = times("0 0 * * *", "2026-09-05T12:00:00", zone="America/Santiago")
    assert list(islice(found, 2)) == ["2026-09-06T01:00:00-03:00", "2026-09-07T00:00:00-03:00"]


def test_every_counts_hours_that_pass_whatever_clocks_say() -> None:
    daily = Recurrence(every_ms=24 * 3_600_000, time_zone=BERLIN)
    start = us("2026-10-24T10:00:00")
    assert next_us(daily, start, start, zones) == us("2026-10-25T10:00:00")


@pytest.mark.parametrize(
    ("catch_up", "fire"),
    [
        ("all", ["2026-10-24T22:30", "2026-10-24T23:30", "2026-10-25T00:30", "2026-10-25T01:30",
                 "2026-10-25T02:30"]),
        ("last", ["2026-10-25T02:30"]),
        ("none", []),
    ],
)  # fmt: skip
def test_what_was_missed_over_the_repeated_hour(catch_up: str, fire: list[str]) -> None:
    hourly = Recurrence("30 * * * *", BERLIN, catch_up=catch_up)
    schedule = Schedule(1, us("2026-10-24T22:30"), 0, b"", b"", 0, hourly)
    now_us = us("2026-10-25T03:00")
    assert due_times(schedule, now_us, now_us, zones) == Times(
        tuple(us(text) for text in fire), us("2026-10-25T03:30")
    )


@pytest.mark.parametrize(("catch_up", "count"), [("all", 3), ("last", 1), ("none", 0)])
@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_fixed_time_is_missed_once_a_day(day: str, catch_up: str, count: int) -> None:
    """Down from the day before the change until the day behind it."""
    daily = Recurrence("30 2 * * *", BERLIN, catch_up=catch_up)
    month, number = int(day[5:7]), int(day[8:])
    first = datetime(2026, month, number - 1, 2, 30, tzinfo=ZoneInfo(BERLIN))
    now = datetime(2026, month, number + 1, 12, tzinfo=ZoneInfo(BERLIN))
    schedule = Schedule(1, int(first.timestamp()) * S, 0, b"", b"", 0, daily)
    now_us = int(now.timestamp()) * S
    found = due_times(schedule, now_us, now_us, zones)
    assert len(found.fire_us) == count
    assert found.next_us == now_us + int(14.5 * HOUR)
