import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tapemq_broker.cli import output
from tests.broker.cli.commands.conftest import Tapemq
from tests.support.settled import settle

RECORDS = [(0, "bad", "k1"), (0, "good", "k1"), (0, "worse", "k2"), (1, "bad", "k2")]


@pytest.fixture
def grave(tapemq: Tapemq, broker_url: str, topic: str) -> str:
    """A topic with the dead records 0:0, 0:2 and 1:0 of the group `g`."""
    tapemq("topic", "create", topic, "--partitions", "2")
    for partition, value, key in RECORDS:
        tapemq("pub", topic, value, "--key", key, "--partition", str(partition))
    settle(broker_url, topic, len(RECORDS))
    return topic


def places(tapemq: Tapemq, *arguments: str) -> list[str]:
    return [row["place"] for row in tapemq("dead", "ls", *arguments).rows]


def test_ls_says_why_each_died(tapemq: Tapemq, grave: str) -> None:
    rows = tapemq("dead", "ls", grave, "g").rows
    first = rows[0]
    assert first.pop("died_at").endswith("Z")
    assert first == {
        "place": "0:0",
        "reason": "bad_data",
        "attempts": 0,
        "key": "k1",
        "error": "",
    }
    assert [row["place"] for row in rows] == ["0:0", "0:2", "1:0"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--reason", "bad_data"), ["0:0", "1:0"]),
        (("--key", "k2"), ["0:2", "1:0"]),
        (("--key", "k2", "--reason", "bad_data"), ["1:0"]),
        (("--key", "k2", "--limit", "1"), ["0:2"]),
        (("--partition", "1"), ["1:0"]),
        (("--limit", "2"), ["0:0", "0:2"]),
        (("--reason", "other"), []),
    ],
)
def test_ls_can_be_narrowed(
    tapemq: Tapemq, grave: str, options: tuple[str, ...], expected: list[str]
) -> None:
    assert places(tapemq, grave, "g", *options) == expected


def test_ls_on_a_terminal_is_a_table(
    tapemq: Tapemq, grave: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    assert tapemq("dead", "ls", grave, "g").out.splitlines()[1].split()[:2] == ["0:0", "bad_data"]
    none = tapemq("dead", "ls", grave, "g", "--reason", "other")
    assert none.err == f"group g of topic {grave} has no such dead records\n"


def test_show_has_the_record_and_its_history(tapemq: Tapemq, grave: str) -> None:
    row = tapemq("dead", "show", grave, "g", "0:2").row
    assert (row["offset"], row["key"], row["value"]) == (2, "k2", "worse")
    assert (row["reason"], row["failures"], row["crashes"]) == ("unknown", 0, 0)
    assert row["redriven"] == 0


def test_show_says_that_a_record_is_not_dead(tapemq: Tapemq, grave: str) -> None:
    ran = tapemq("dead", "show", grave, "g", "0:1")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "tapemq: the record at 0:1 is not dead in group g\n"
        f"  list those that are: tapemq dead ls {grave} g\n"
    )


DONE = {"redrive": "redriven", "discard": "discarded"}
CHOICES: list[tuple[tuple[str, ...], list[str]]] = [
    (("--all",), []),
    (("0:0", "1:0"), ["0:2"]),
    (("0:0", "0:1"), ["0:2", "1:0"]),
    (("--reason", "bad_data"), ["0:2"]),
    (("--key", "k2"), ["0:0"]),
    (("--key", "k2", "--reason", "bad_data"), ["0:0", "0:2"]),
    (("--key", "nobody"), ["0:0", "0:2", "1:0"]),
]


@pytest.mark.parametrize(("chosen", "left"), CHOICES)
@pytest.mark.parametrize("command", ["redrive", "discard"])
def test_what_is_chosen_is_dead_no_more(
    tapemq: Tapemq, grave: str, command: str, chosen: tuple[str, ...], left: list[str]
) -> None:
    count = 3 - len(left)
    tried = tapemq("dead", command, grave, "g", *chosen, "--dry-run")
    assert tried.row == {"topic": grave, "group": "g", f"would_be_{DONE[command]}": count}
    assert len(places(tapemq, grave, "g")) == 3
    done = tapemq("dead", command, grave, "g", *chosen, "--yes")
    assert done.row == {"topic": grave, "group": "g", DONE[command]: count}
    assert places(tapemq, grave, "g") == left
    lag = sum(row["lag"] for row in tapemq("group", "lag", grave, "g").rows)
    assert lag == (count if command == "redrive" else 0)


def test_redriven_records_come_again(tapemq: Tapemq, grave: str) -> None:
    tapemq("dead", "redrive", grave, "g", "--all", "--rate", "1000")
    rows = tapemq("sub", grave, "--queue", "g", "--count", "3").rows
    assert sorted((row["value"], row["attempt"]) for row in rows) == [
        ("bad", 1),
        ("bad", 1),
        ("worse", 1),
    ]


@pytest.mark.parametrize("command", ["redrive", "discard"])
@pytest.mark.parametrize(("answer", "left"), [("n", 3), ("y", 0)])
def test_it_asks_on_a_terminal(
    tapemq: Tapemq,
    grave: str,
    command: str,
    answer: str,
    left: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal: Any = SimpleNamespace(isatty=lambda: True, readline=lambda: f"{answer}\n")
    monkeypatch.setattr(sys, "stdin", terminal)
    ran = tapemq("dead", command, grave, "g", "--all")
    assert "3 dead records" in ran.err
    assert ran.code == (0 if answer == "y" else 1)
    assert len(places(tapemq, grave, "g")) == left


def test_discard_wants_a_yes_where_nobody_can_be_asked(tapemq: Tapemq, grave: str) -> None:
    ran = tapemq("dead", "discard", grave, "g", "--all")
    assert (ran.code, ran.out) == (2, "")
    assert "pass --yes" in ran.err
    assert tapemq("dead", "redrive", grave, "g", "--all").row["redriven"] == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("redrive", "t", "g"), "say which dead records: just one of"),
        (("redrive", "t", "g", "--all", "0:1"), "say which dead records: just one of"),
        (("discard", "t", "g", "--all", "--key", "k"), "say which dead records: just one of"),
        (("discard", "t", "g", "0"), "'0' is not PARTITION:OFFSET"),
        (("show", "t", "g", "0"), "'0' is not PARTITION:OFFSET"),
        (("redrive", "t", "g", "--all", "--rate", "0"), "'0' is not a whole number of at least 1"),
    ],
)
def test_what_makes_no_sense_ends_with_2(
    offline: Tapemq, arguments: tuple[str, ...], said: str
) -> None:
    ran = offline("dead", *arguments, "--url", "tapemq://127.0.0.1:1")
    assert (ran.code, ran.out) == (2, "")
    assert said in " ".join(ran.err.replace("│", " ").split())


def test_a_stream_group_has_none(tapemq: Tapemq, topic: str) -> None:
    tapemq("pub", topic, "v")
    tapemq("sub", topic, "--group", "s", "--no-follow")
    ran = tapemq("dead", "ls", topic, "s")
    assert (ran.code, ran.out) == (1, "")
    assert "s" in ran.err
