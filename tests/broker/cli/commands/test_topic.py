import pytest

from tapemq_broker.cli import output
from tests.broker.cli.commands.conftest import Tapemq


def test_create_prints_what_was_made(tapemq: Tapemq, topic: str) -> None:
    ran = tapemq(
        *("topic", "create", topic, "--partitions", "2", "--retention-age", "7d"),
        *("--retention-bytes", "1GiB", "--segment-bytes", "1 MiB", "--ttl", "1h"),
        *("--max-records", "5", "--max-bytes", "1 GiB", "--overflow", "drop_oldest"),
    )
    assert ran.code == 0
    assert len(ran.row.pop("topic_id")) == 16
    assert ran.row | {"topic_id": ""} == {
        "topic": topic,
        "topic_id": "",
        "partitions": 2,
        "version": 1,
        "retention_age_s": 604_800,
        "retention_bytes": 2**30,
        "segment_bytes": 2**20,
        "ttl_s": 3600,
        "max_records": 5,
        "max_bytes": 2**30,
        "overflow": "drop_oldest",
    }


def test_a_name_is_taken_once(tapemq: Tapemq, topic: str) -> None:
    assert tapemq("topic", "create", topic).row["partitions"] == 1
    ran = tapemq("topic", "create", topic)
    assert (ran.code, ran.out) == (1, "")
    assert "tapemq topic alter" in ran.err


def test_ls_counts_records_of_all_partitions(tapemq: Tapemq, topic: str) -> None:
    tapemq("topic", "create", topic, "--partitions", "2")
    for partition in "011":
        tapemq("pub", topic, "v", "--partition", partition)
    (row,) = [row for row in tapemq("topic", "ls").rows if row["topic"] == topic]
    assert (row["partitions"], row["records"]) == (2, 3)
    assert row["size_bytes"] > 0


def test_info_has_every_partition(tapemq: Tapemq, topic: str) -> None:
    tapemq("topic", "create", topic, "--partitions", "2")
    tapemq("pub", topic, "v", "--partition", "1")
    row = tapemq("topic", "info", topic).row
    assert row["topic"] == topic
    first, second = row["partitions"]
    assert (first["partition"], first["next_offset"], first["last_append_time"]) == (0, 0, None)
    assert (second["partition"], second["first_offset"], second["next_offset"]) == (1, 0, 1)
    assert second["last_append_time"].endswith("Z")


def test_info_on_a_terminal_is_a_list_and_a_table(
    tapemq: Tapemq, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tapemq("topic", "create", topic)
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    out = tapemq("topic", "info", topic).out
    head, table = out.split("\n\n")
    assert head.splitlines()[0].split() == ["topic", topic]
    assert table.splitlines()[-1].split()[:3] == ["0", "0", "0"]


def test_priorities_have_partitions_of_their_own(tapemq: Tapemq, topic: str) -> None:
    made = tapemq("topic", "create", topic, "--partitions", "2", "--priorities", "3").row
    assert (made["partitions"], made["priorities"]) == (6, 3)
    assert tapemq("topic", "create", topic, "--priorities", "11").code == 2
    row = tapemq("topic", "info", topic).row
    assert [part["priority"] for part in row["partitions"]] == [0, 1, 2, 0, 1, 2]
    assert tapemq("topic", "alter", topic, "--partitions", "3").row["partitions"] == 9


def test_alter_changes_what_is_given(tapemq: Tapemq, topic: str) -> None:
    tapemq("topic", "create", topic, "--retention-age", "7d")
    row = tapemq("topic", "alter", topic, "--partitions", "4", "--segment-bytes", "1MiB").row
    assert (row["partitions"], row["version"]) == (4, 2)
    assert (row["retention_age_s"], row["segment_bytes"]) == (604_800, 2**20)


def test_alter_needs_something_to_change(tapemq: Tapemq, topic: str) -> None:
    ran = tapemq("topic", "alter", topic)
    assert (ran.code, ran.out) == (2, "")
    assert "nothing to change was given" in ran.err


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("--retention-age", "soon", "is not a duration in whole seconds"),
        ("--retention-age", "0.5", "is not a duration in whole seconds"),
        ("--retention-bytes", "7d", "is not a size"),
        ("--segment-bytes", "-1", "is not a size"),
        ("--partitions", "0", "--partitions"),
        ("--max-records", "-1", "--max-records"),
    ],
)
def test_a_setting_that_makes_no_sense_ends_with_2(
    offline: Tapemq, option: str, text: str, said: str
) -> None:
    ran = offline("topic", "create", "t", option, text, "--url", "tapemq://127.0.0.1:1")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_what_the_broker_refuses_is_said(tapemq: Tapemq, topic: str) -> None:
    ran = tapemq("topic", "create", topic, "--segment-bytes", "1")
    assert (ran.code, ran.out) == (1, "")
    assert "segment_bytes is below 4096" in ran.err


def test_rm_deletes_when_it_is_told_to(tapemq: Tapemq, topic: str) -> None:
    tapemq("pub", topic, "v")
    asked = tapemq("topic", "rm", topic)
    assert (asked.code, asked.out) == (2, "")
    assert f"Delete topic {topic} with 1 record for ever?" in asked.err
    assert tapemq("topic", "info", topic).code == 0
    assert tapemq("topic", "rm", topic, "--yes") == (0, "", "")
    assert tapemq("topic", "info", topic).code == 1


def test_rm_of_what_is_not_there_says_so(tapemq: Tapemq, topic: str) -> None:
    ran = tapemq("topic", "rm", topic, "--yes")
    assert (ran.code, ran.out) == (1, "")
    assert f"there is no topic {topic!r}" in ran.err
