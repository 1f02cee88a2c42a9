import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tapemq_broker.cli import connection
from tapemq_broker.cli.commands import sub
from tests.broker.cli.commands.conftest import Tapemq


def fill(tapemq: Tapemq, topic: str, *values: str) -> None:
    for value in values:
        assert tapemq("pub", topic, value).code == 0


def values(tapemq: Tapemq, *arguments: str) -> list[str]:
    ran = tapemq("sub", *arguments)
    assert ran.code == 0
    return [row["value"] for row in ran.rows]


def test_no_follow_ends_where_the_topic_ends(tapemq: Tapemq, topic: str) -> None:
    fill(tapemq, topic, "a", "b", "c")
    assert values(tapemq, topic, "--no-follow") == ["a", "b", "c"]


def test_no_follow_reads_all_partitions(tapemq: Tapemq, topic: str) -> None:
    tapemq("topic", "create", topic, "--partitions", "3")
    for partition in "0022":
        tapemq("pub", topic, partition, "--partition", partition)
    assert sorted(values(tapemq, topic, "--no-follow")) == ["0", "0", "2", "2"]
    assert values(tapemq, topic, "--no-follow", "--partition", "2") == ["2", "2"]
    assert values(tapemq, topic, "--no-follow", "--partition", "1") == []


def test_a_queue_group_that_has_nothing_left_is_named_as_one(tapemq: Tapemq, topic: str) -> None:
    """Nothing at all looks as if its records had been read as a stream."""
    fill(tapemq, topic, "a")
    assert values(tapemq, topic, "--queue", "g", "--no-follow") == ["a"]
    ran = tapemq("sub", topic, "--group", "g", "--no-follow")
    assert (ran.code, ran.out) == (1, "")
    assert f"group g of topic {topic} is a queue group" in ran.err
    assert f"tapemq sub {topic} --queue g" in ran.err


def test_count_ends_it(tapemq: Tapemq, topic: str) -> None:
    fill(tapemq, topic, "a", "b", "c")
    assert values(tapemq, topic, "--start", "earliest", "--count", "2") == ["a", "b"]


def test_start_is_an_offset_or_a_time(tapemq: Tapemq, topic: str) -> None:
    fill(tapemq, topic, "a", "b", "c")
    assert values(tapemq, topic, "--no-follow", "--start", "1") == ["b", "c"]
    assert values(tapemq, topic, "--no-follow", "--start", "2000-01-01T00:00Z") == ["a", "b", "c"]
    assert values(tapemq, topic, "--no-follow", "--start", "2999-01-01T00:00Z") == []
    assert values(tapemq, topic, "--no-follow", "--start", "latest") == []


def test_a_group_goes_on_where_it_was(tapemq: Tapemq, topic: str) -> None:
    fill(tapemq, topic, "a", "b", "c")
    first = (topic, "--group", "g", "--start", "earliest", "--count", "2")
    assert values(tapemq, *first) == ["a", "b"]
    assert values(tapemq, topic, "--group", "g", "--no-follow", "--start", "latest") == ["c"]
    assert values(tapemq, topic, "--group", "g", "--no-follow") == []


def test_a_queue_group_gets_each_message_once(tapemq: Tapemq, topic: str) -> None:
    fill(tapemq, topic, "a", "b", "c")
    assert values(tapemq, topic, "--queue", "q", "--no-ack", "--count", "2") == ["a", "b"]
    assert values(tapemq, topic, "--queue", "q", "--count", "2") == ["a", "b"]
    assert values(tapemq, topic, "--queue", "q", "--no-follow") == ["c"]
    assert values(tapemq, topic, "--queue", "q", "--no-follow") == []


def test_a_message_says_which_attempt_it_is(tapemq: Tapemq, topic: str) -> None:
    fill(tapemq, topic, "a")
    assert tapemq("sub", topic, "--queue", "q", "--count", "1").row["attempt"] == 1
    assert "attempt" not in tapemq("sub", topic, "--no-follow").row


def test_raw_is_the_values_alone(tapemq: Tapemq, topic: str) -> None:
    fill(tapemq, topic, "a", "b\nc")
    assert tapemq("sub", topic, "--no-follow", "-o", "raw").out == "a\nb\nc\n"


def test_a_terminal_gets_text(tapemq: Tapemq, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sub, "on_terminal", lambda: True)
    tapemq("pub", topic, "hello", "--key", "k")
    out = tapemq("sub", topic, "--no-follow").out
    assert out.startswith("0/0 ")
    assert out.endswith(" k: hello\n")


def test_a_topic_that_is_not_there_is_named(tapemq: Tapemq, topic: str) -> None:
    ran = tapemq("sub", topic, "--no-follow")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"tapemq: there is no topic {topic!r}\n  list the topics: tapemq topic ls\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("t", "--start", "soon"), "'soon' is not one of: earliest, latest, an offset, or a time"),
        (("t", "-o", "xml"), "'xml' is not one of: text, json, raw"),
        (("a b",), "is no topic name"),
        (("t", "--group", ".g"), "is no group name"),
        (("t", "--group", "g", "--partition", "0"), "a group shares all partitions"),
        (("t", "--group", "g", "--queue", "q"), "a group shares all partitions"),
        (("t", "--queue", ".q"), "is no group name"),
        (("t", "--no-ack"), "--no-ack needs --queue"),
        (("t", "--count", "few"), "'few' is not a whole number of at least 1"),
    ],
)
def test_what_makes_no_sense_ends_with_2(
    offline: Tapemq, arguments: tuple[str, ...], said: str
) -> None:
    ran = offline("sub", *arguments, "--url", "tapemq://127.0.0.1:1")
    assert (ran.code, ran.out) == (2, "")
    assert said in " ".join(ran.err.split())


def test_no_broker_ends_with_3(offline: Tapemq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_CONNECT_TIMEOUT_S", 0.1)
    ran = offline("sub", "t", "--url", "tapemq://127.0.0.1:1")
    assert (ran.code, ran.out) == (3, "")
    assert "is a broker running at tapemq://127.0.0.1:1?" in ran.err


def follow(url: str, topic: str, *options: str) -> "subprocess.Popen[str]":
    """A process that prints records as they come; the first one has come."""
    command = [sys.executable, "-m", "tapemq", "sub", topic, "--start", "earliest", "-o", "raw"]
    process = subprocess.Popen(
        [*command, "--url", url, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "first\n"
    return process


def test_following_prints_what_comes_until_it_is_interrupted(
    tapemq: Tapemq, broker_url: str, topic: str
) -> None:
    fill(tapemq, topic, "first")
    process = follow(broker_url, topic)
    fill(tapemq, topic, "second")
    assert process.stdout
    assert process.stdout.readline() == "second\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "", "")


def test_an_interrupted_group_goes_on_behind_what_was_printed(
    tapemq: Tapemq, broker_url: str, topic: str
) -> None:
    fill(tapemq, topic, "first")
    process = follow(broker_url, topic, "--group", "g")
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert tapemq("group", "lag", topic, "g").row["cursor"] == 1
    assert values(tapemq, topic, "--group", "g", "--no-follow") == []


def test_an_interrupted_queue_has_acked_what_was_printed(
    tapemq: Tapemq, broker_url: str, topic: str
) -> None:
    fill(tapemq, topic, "first")
    process = follow(broker_url, topic, "--queue", "q")
    process.send_signal(signal.SIGINT)
    assert process.communicate() == ("", "")
    assert process.returncode == 130
    assert tapemq("group", "lag", topic, "q").row["lag"] == 0


def test_following_ends_quietly_when_nobody_reads_any_more(
    tapemq: Tapemq, broker_url: str, topic: str
) -> None:
    fill(tapemq, topic, "first")
    process = follow(broker_url, topic)
    assert process.stdout
    process.stdout.close()
    # The first write fails; it is the next one that ends the process.
    fill(tapemq, topic, "second", "third")
    assert process.stderr
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait() == 0


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_a_full_disk_did_not_take_is_not_committed(
    tapemq: Tapemq, broker_url: str, topic: str, unbuffered: str
) -> None:
    fill(tapemq, topic, "a", "b", "c")
    reading = [sys.executable, "-m", "tapemq", "sub", topic, "--no-follow", "--url", broker_url]
    for options in ([], ["--group", "g"]):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*reading, *options],
                stdout=full,
                stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
                text=True,
            )
        said = "tapemq: standard output: No space left on device\n"
        assert (done.returncode, done.stderr) == (1, said)
    assert values(tapemq, topic, "--group", "g", "--no-follow") == ["a", "b", "c"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("options", [(), ("--group", "g"), ("--queue", "g")])
def test_a_signal_ends_it_while_nobody_reads_what_it_prints(
    tapemq: Tapemq,
    broker_url: str,
    topic: str,
    options: tuple[str, ...],
    number: signal.Signals,
    code: int,
) -> None:
    fill(tapemq, topic, "first")
    tapemq("pub", topic, "x" * 1000, "--count", "1000")
    process = follow(broker_url, topic, *options)
    process.send_signal(number)
    assert process.wait(timeout=30) == code
    process.communicate()
