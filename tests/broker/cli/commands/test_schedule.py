from datetime import UTC, datetime, timedelta

import pytest

from tests.broker.cli.commands.conftest import Tapemq


@pytest.fixture
def scheduled(tapemq: Tapemq, topic: str) -> str:
    """A topic with a schedule for tomorrow, and one for an hour later."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    tapemq("pub", topic, "first", "--at", tomorrow, "--key", "k", "--header", "h=x")
    tapemq("pub", topic, "second", "--delay", "25h", "--schedule-key", "later")
    return topic


def test_ls_lists_the_next_ones_first(tapemq: Tapemq, scheduled: str) -> None:
    rows = tapemq("schedule", "ls", scheduled).rows
    assert [(row["id"], row["schedule_key"]) for row in rows] == [(1, None), (2, "later")]
    assert rows[0]["due"] < rows[1]["due"]
    assert len(tapemq("schedule", "ls", scheduled, "--limit", "1").rows) == 1


def test_get_shows_the_record(tapemq: Tapemq, scheduled: str) -> None:
    row = tapemq("schedule", "get", scheduled, "1").row
    assert (row["key"], row["value"], row["headers"]) == ("k", "first", {"h": "x"})
    assert row["fired"] == 0
    assert tapemq("schedule", "get", scheduled, "--key", "later").row["value"] == "second"


def test_cancel_forgets_one(tapemq: Tapemq, scheduled: str) -> None:
    assert tapemq("schedule", "cancel", scheduled, "--key", "later") == (0, "", "")
    assert [row["id"] for row in tapemq("schedule", "ls", scheduled).rows] == [1]
    again = tapemq("schedule", "cancel", scheduled, "--key", "later")
    assert again.code == 1
    assert "no schedule is pending" in again.err


def test_a_schedule_is_named_by_one_of_two(tapemq: Tapemq, scheduled: str) -> None:
    for arguments in ((), ("1", "--key", "later")):
        ran = tapemq("schedule", "cancel", scheduled, *arguments)
        assert ran.code == 2
        assert "by its ID or by --key" in ran.err


def test_a_replacement_says_so(tapemq: Tapemq, scheduled: str) -> None:
    row = tapemq("pub", scheduled, "third", "--delay", "3h", "--schedule-key", "later").row
    assert (row["schedule_id"], row["replaced"]) == (3, True)
