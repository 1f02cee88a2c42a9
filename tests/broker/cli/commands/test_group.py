from types import SimpleNamespace

import pytest

from tapemq_broker.cli import output
from tapemq_broker.cli.commands import group
from tapemq_broker.cli.errors import CommandError
from tests.broker.cli.commands.conftest import Tapemq


@pytest.fixture
def read(tapemq: Tapemq, topic: str) -> str:
    """A topic of 2 and 1 records in two partitions, of which the group `g` has read all."""
    tapemq("topic", "create", topic, "--partitions", "2")
    for partition in "001":
        tapemq("pub", topic, "v", "--partition", partition)
    reading = ("--group", "g", "--start", "earliest", "--count", "3")
    assert len(tapemq("sub", topic, *reading).rows) == 3
    return topic


def test_ls_lists_groups_of_a_topic_or_of_all(tapemq: Tapemq, read: str) -> None:
    tapemq("pub", read, "more", "--partition", "1")
    expected = {
        "topic": read,
        "group": "g",
        "kind": "stream",
        "members": 0,
        "lag": 1,
        "hold": False,
    }
    assert tapemq("group", "ls", read).row == expected
    assert expected in tapemq("group", "ls").rows


def test_info_has_every_partition(tapemq: Tapemq, read: str) -> None:
    row = tapemq("group", "info", read, "g").row
    assert (row["group"], row["lag"]) == ("g", 0)
    assert [(place["partition"], place["cursor"]) for place in row["partitions"]] == [
        (0, 2),
        (1, 1),
    ]
    assert row["partitions"][0]["member"] is None
    assert row["partitions"][0]["commit_time"].endswith("Z")


def test_info_on_a_terminal_is_a_list_and_a_table(
    tapemq: Tapemq, read: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    head, table = tapemq("group", "info", read, "g").out.split("\n\n")
    assert ["group", "g"] in [line.split() for line in head.splitlines()]
    assert table.splitlines()[-1].split()[:2] == ["1", "1"]


def test_seek_moves_it_back_and_forth(tapemq: Tapemq, read: str) -> None:
    def cursors() -> list[int]:
        return [row["cursor"] for row in tapemq("group", "lag", read, "g").rows]

    assert tapemq("group", "seek", read, "g", "--to", "earliest") == (0, "", "")
    assert cursors() == [0, 0]
    assert tapemq("group", "seek", read, "g", "--to", "1", "--partition", "0").code == 0
    assert cursors() == [1, 0]
    assert tapemq("group", "seek", read, "g", "--to", "latest").code == 0
    assert cursors() == [2, 1]
    assert tapemq("group", "seek", read, "g", "--to", "2000-01-01").code == 0
    assert cursors() == [0, 0]


def test_seek_beyond_the_end_is_refused(tapemq: Tapemq, read: str) -> None:
    ran = tapemq("group", "seek", read, "g", "--to", "99")
    assert (ran.code, ran.out) == (1, "")
    assert "tapemq topic info" in ran.err


def test_lag_is_by_partition(tapemq: Tapemq, read: str) -> None:
    tapemq("pub", read, "more", "--partition", "1")
    assert tapemq("group", "lag", read, "g").rows == [
        {"partition": 0, "cursor": 2, "lag": 0},
        {"partition": 1, "cursor": 1, "lag": 1},
    ]


def test_lag_can_be_watched(tapemq: Tapemq, read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(duration_s: float) -> None:
        waits.append(duration_s)
        if len(waits) == 2:
            raise CommandError("enough")

    flushed_before: list[int] = []
    stdout = SimpleNamespace(flush=lambda: flushed_before.append(len(waits) + 1))
    monkeypatch.setattr(group, "asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(group, "sys", SimpleNamespace(stdout=stdout))
    rows = tapemq("group", "lag", read, "g", "--watch").rows
    assert [row["partition"] for row in rows] == [0, 1, 0, 1]
    assert (waits, flushed_before) == ([1, 1], [1, 2])


def test_alter_changes_hold(tapemq: Tapemq, read: str) -> None:
    assert tapemq("group", "alter", read, "g", "--hold") == (0, "", "")
    assert tapemq("group", "info", read, "g").row["hold"] is True
    assert tapemq("group", "alter", read, "g", "--no-hold") == (0, "", "")
    assert tapemq("group", "info", read, "g").row["hold"] is False


def test_rm_forgets_when_it_is_told_to(tapemq: Tapemq, read: str) -> None:
    asked = tapemq("group", "rm", read, "g")
    assert (asked.code, asked.out) == (2, "")
    assert f"Forget group g of topic {read}?" in asked.err
    assert tapemq("group", "rm", read, "g", "--yes") == (0, "", "")
    assert tapemq("group", "ls", read).rows == []


@pytest.mark.parametrize("command", ["info", "lag", "rm"])
def test_a_group_that_is_not_there_is_named(tapemq: Tapemq, read: str, command: str) -> None:
    ran = tapemq("group", command, read, "nobody")
    assert (ran.code, ran.out) == (1, "")
    assert "'nobody'" in ran.err
    assert "tapemq group ls" in ran.err
