import pytest

from tests.broker.cli.commands.conftest import Tapemq


def test_shows_the_first_records(tapemq: Tapemq, topic: str) -> None:
    tapemq("pub", topic, "v", "--count", "12")
    assert [row["offset"] for row in tapemq("peek", topic).rows] == list(range(10))
    assert [row["offset"] for row in tapemq("peek", topic, "--count", "2").rows] == [0, 1]


def test_start_is_chosen(tapemq: Tapemq, topic: str) -> None:
    tapemq("pub", topic, "v", "--count", "12")
    assert [row["offset"] for row in tapemq("peek", topic, "--start", "10").rows] == [10, 11]
    assert tapemq("peek", topic, "--start", "latest").rows == []


@pytest.mark.parametrize("start", ["latest", "12"])
def test_nothing_from_there_on_is_said(tapemq: Tapemq, topic: str, start: str) -> None:
    tapemq("pub", topic, "v", "--count", "12")
    said = "nothing from there on: partition 0 has the offsets 0 to 11, its next one is 12\n"
    assert tapemq("peek", topic, "--start", start) == (0, "", said)


def test_a_start_beyond_the_end_fails(tapemq: Tapemq, topic: str) -> None:
    tapemq("topic", "create", topic)
    ran = tapemq("peek", topic, "--start", "1")
    assert (ran.code, ran.out) == (1, "")
    said = "tapemq: partition 0 has no records, its next offset is 0; 1 is beyond\n"
    assert ran.err.startswith(said)
    ran = tapemq("peek", topic, "--partition", "1")
    assert (ran.code, ran.out) == (1, "")
    assert f"topic {topic!r} has no partition 1: it has 1, counted from 0" in ran.err


def test_leaves_no_trace(tapemq: Tapemq, topic: str) -> None:
    tapemq("pub", topic, "v")
    for _ in range(2):
        assert tapemq("peek", topic).row["value"] == "v"
    assert tapemq("group", "ls", topic).rows == []


def test_makes_no_topic(tapemq: Tapemq, topic: str) -> None:
    ran = tapemq("peek", topic)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"tapemq: there is no topic {topic!r}\n  list the topics: tapemq topic ls\n"
    assert topic not in [row["topic"] for row in tapemq("topic", "ls").rows]


@pytest.mark.parametrize(("form", "out"), [("raw", "v\n"), ("json", '"value": "v"')])
def test_form_is_chosen(tapemq: Tapemq, topic: str, form: str, out: str) -> None:
    tapemq("pub", topic, "v")
    assert out in tapemq("peek", topic, "-o", form).out
