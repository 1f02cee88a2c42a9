from datetime import UTC, datetime

import pytest

from tapemq.publishing.receipt import LEVELS, Receipt, check_durability, durability_of


def test_timestamp_is_the_append_time_in_utc() -> None:
    receipt = Receipt("t", 0, 5, False, "durable", 1_700_000_000_000_001)
    assert receipt.timestamp == datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC)


def test_a_duplicate_has_no_time_that_is_known() -> None:
    """The broker says 0 then, which is no time in 1970."""
    assert Receipt("t", 0, 5, True, "durable", 0).timestamp is None


def test_levels_are_named_both_ways() -> None:
    assert {durability_of(level): level for level in LEVELS.values()} == LEVELS


def test_unknown_durability_is_refused() -> None:
    assert check_durability("written") == "written"
    with pytest.raises(ValueError, match='"durable" or "written"'):
        check_durability("maybe")
