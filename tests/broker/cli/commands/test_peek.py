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
