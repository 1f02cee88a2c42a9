"""The rules of retention against histories that are wrong on purpose."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.simulation.checker import check
from tests.support.simulation.history import Extent, History, LogName, Outcome, Place, Publish
from tests.support.simulation.removal_rules import backdated, removed

LOG = LogName("orders", 0)
START = datetime(2026, 1, 1, tzinfo=UTC)
DROP = {"overflow": "drop_oldest"}


def broken(settings: Mapping[str, int | str], first_offset: int, size_bytes: int = 0) -> bool:
    """Of ten records, one a second, those below an offset are gone after ten seconds."""
    publishes = [
        Publish("p", n, "orders", b"v", float(n), n + 0.5, Outcome.OK, True, Place("orders", 0, n))
        for n in range(10)
    ]
    extents = [Extent(LOG, first_offset, 10, size_bytes, 10.0)]
    history = History(publishes=publishes, extents=extents, settings={"orders": settings})
    return bool(check(history, removed))


@pytest.mark.parametrize(
    ("settings", "gone_at_most"),
    [
        ({}, 0),
        ({"max_records": 5, "overflow": "refuse"}, 0),
        ({"max_records": 4, **DROP}, 6),
        ({"max_records": 4, "retention_bytes": 100, **DROP}, 6),
        ({"retention_age_s": 4}, 7),
        ({"max_bytes": 4, **DROP}, 10),
        ({"retention_age_s": 4, "max_records": 4, **DROP}, 10),
    ],
)
def test_records_that_are_to_be_kept(settings: Mapping[str, int | str], gone_at_most: int) -> None:
    assert not broken(settings, gone_at_most)
    assert gone_at_most == 10 or broken(settings, gone_at_most + 1)


def test_bytes_that_are_to_be_kept() -> None:
    assert not broken({"retention_bytes": 100}, 5, size_bytes=100)
    assert broken({"retention_bytes": 100}, 5, size_bytes=99)
    assert not broken({"retention_bytes": 100}, 0, size_bytes=99)


def test_jump_of_the_clock_may_make_records_old() -> None:
    extents = [Extent(LOG, 1, 1, 0, 1.0)]
    publish = Publish("p", 0, "orders", b"v", 0.0, 0.5, Outcome.OK, True, Place("orders", 0, 0))
    history = History([publish], extents=extents, settings={"orders": {"retention_age_s": 4}})
    assert check(history, removed)
    history.jumps.append(0.5)
    assert not check(history, removed)


def test_topic_of_which_nobody_knows_the_settings() -> None:
    assert not check(History(extents=[Extent(LOG, 1, 1, 0, 1.0)]), removed)


def test_time_goes_back_in_a_log() -> None:
    times = {n: START + timedelta(seconds=n) for n in range(3)}
    assert not check(History(final_times={LOG: times}), backdated)
    times[1] = times[2]
    assert not check(History(final_times={LOG: times}), backdated)
    times[1] += timedelta(microseconds=1)
    assert check(History(final_times={LOG: times}), backdated)
