from datetime import timedelta
from typing import Any

import pytest

from tapemq.queues.settings import Backoff, QueueSettings, wire_settings
from tests.support import document

RETRY = {
    "retry_delays_ms": "",
    "retry_base_ms": 1000,
    "retry_factor_percent": 200,
    "retry_cap_ms": 600_000,
    "retry_jitter_percent": 50,
}
EVERY: dict[str, Any] = {
    "lease": 30.0,
    "max_attempts": 10,
    "max_age": None,
    "retry": Backoff(),
    "key_lanes": False,
    "key_concurrency": 1,
    "key_failure": "block",
    "look_ahead": 100_000,
    "single_active": False,
    "paused": False,
    "hold": True,
    "expire_dead": False,
    "dead_max": 100_000,
    "retry_max": 100_000,
}


def test_every_setting_of_the_protocol_can_be_said_and_has_its_default() -> None:
    rows = document.rows(document.section("Queues").partition("*Settings*")[2])
    said = {row[0].strip("`"): document._default(row[2]) for row in rows}
    assert wire_settings(EVERY) == said
    assert EVERY.keys() == QueueSettings.__annotations__.keys()


def test_durations_are_seconds_or_timedelta() -> None:
    assert wire_settings({"lease": timedelta(seconds=5), "max_age": 0.5}) == {
        "lease_ms": 5000,
        "max_age_ms": 500,
    }


def test_delays_by_formula_or_list() -> None:
    assert wire_settings({"retry": Backoff()}) == RETRY
    assert wire_settings({"retry": [1, 5.5, timedelta(minutes=1)]}) == {
        "retry_delays_ms": "1000,5500,60000"
    }


@pytest.mark.parametrize(
    "setting",
    [
        {"lease": -1},
        {"max_attempts": -1},
        {"max_attempts": True},
        {"max_attempts": 1.5},
        {"key_lanes": 1},
        {"key_failure": "stop"},
        {"retry": []},
        {"retry": [-1]},
        {"retry": Backoff(factor=0.5)},
        {"retry": Backoff(jitter=2)},
        {"retry": Backoff(jitter=float("nan"))},
        {"attempts": 5},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not|is|there"):
        wire_settings(setting)


@pytest.mark.parametrize("factor", [0.5, 101, 1e308, float("inf"), float("nan")])
def test_a_factor_that_cannot_be_sent_is_named(factor: float) -> None:
    with pytest.raises(ValueError, match="retry: a factor is 1 to 100"):
        wire_settings({"retry": Backoff(factor=factor)})


def test_unknown_setting_is_told_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"'attempts'.*max_attempts"):
        wire_settings({"attempts": 5})
