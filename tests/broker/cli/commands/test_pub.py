import io
import os
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import tapemq
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tapemq_broker.cli.commands.pub import Envelope, _publish_all
from tapemq_broker.cli.line_reader import LineTooLong
from tests.broker.cli.commands.conftest import Tapemq
from tests.support.fake_broker import FakeBroker
from tests.support.sdk import client_of


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.BufferedWriter]:
    """The end to write to, of a pipe that is standard input."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as reader, os.fdopen(write_end, "wb") as writer:
        monkeypatch.setattr("sys.stdin", reader)
        yield writer


def test_one_value_prints_its_receipt(tapemq: Tapemq, topic: str) -> None:
    first = tapemq("pub", topic, "hello")
    assert first.code == 0
    assert first.row == {
        "topic": topic,
        "partition": 0,
        "offset": 0,
        "durability": "durable",
        "duplicate": False,
    }
    assert tapemq("pub", topic, "again").row["offset"] == 1
    assert [row["value"] for row in tapemq("peek", topic).rows] == ["hello", "again"]


def test_key_and_headers_go_with_the_value(tapemq: Tapemq, topic: str) -> None:
    tapemq("pub", topic, "v", "--key", "k", "--header", "a=1", "--header", "b=x=y")
    record = tapemq("peek", topic).row
    assert (record["key"], record["headers"]) == ("k", {"a": "1", "b": "x=y"})


def test_bytes_that_are_no_text_are_taken_as_they_are(tapemq: Tapemq, topic: str) -> None:
    assert tapemq("pub", topic, "v\udcff", "--key", "\udcff", "--header", "a=\udcfe").code == 0
    record = tapemq("peek", topic).row
    assert (record["value_base64"], record["key_base64"]) == ("dv8=", "/w==")
    assert record["headers"] == {"a_base64": "/g=="}
    assert tapemq("pub", topic, "v", "--delay", "1h", "--schedule-key", "\udcff").code == 0
    assert tapemq("schedule", "cancel", topic, "--key", "\udcff").code == 0


def test_priority_decides_the_partition(tapemq: Tapemq, topic: str) -> None:
    tapemq("topic", "create", topic, "--priorities", "3")
    assert tapemq("pub", topic, "v", "--priority", "1").row["partition"] == 1
    assert tapemq("pub", topic, "v", "--priority", "9", "--delay", "1h").row["partition"] == 2
    tapemq("pub", topic, "v", "--priority", "2", "--count", "5")
    (_, _, highest) = tapemq("topic", "info", topic).row["partitions"]
    assert highest["next_offset"] == 5
    assert tapemq("pub", topic, "v", "--priority", "10").code == 2


def test_count_repeats_the_value(tapemq: Tapemq, topic: str) -> None:
    assert tapemq("pub", topic, "xyz", "--count", "5").row == {
        "topic": topic,
        "records": 5,
        "bytes": 15,
    }
    assert [row["value"] for row in tapemq("peek", topic).rows] == ["xyz"] * 5


@pytest.mark.parametrize("value", [(), ("-",)])
def test_without_a_value_each_line_is_one(
    tapemq: Tapemq, topic: str, stdin: io.BufferedWriter, value: tuple[str, ...]
) -> None:
    stdin.write(b"one\n\ntwo\nthree without an end")
    stdin.close()
    assert tapemq("pub", topic, *value).row["records"] == 4
    values = [row["value"] for row in tapemq("peek", topic).rows]
    assert values == ["one", "", "two", "three without an end"]


def test_a_file_is_one_value(tapemq: Tapemq, topic: str, tmp_path: Path) -> None:
    file = tmp_path / "value"
    file.write_bytes(b"\xff\n\x00")
    assert tapemq("pub", topic, "--file", file).row["offset"] == 0
    assert tapemq("peek", topic).row["value_base64"] == "/woA"


def test_a_tombstone_has_no_value(tapemq: Tapemq, topic: str) -> None:
    tapemq("pub", topic, "--tombstone", "--key", "k")
    record = tapemq("peek", topic).row
    assert (record["key"], record["value"]) == ("k", None)


def test_partition_is_obeyed(tapemq: Tapemq, topic: str) -> None:
    tapemq("topic", "create", topic, "--partitions", "3")
    assert tapemq("pub", topic, "v", "--partition", "2").row["partition"] == 2
    refused = tapemq("pub", topic, "v", "--partition", "3")
    assert (refused.code, refused.out) == (1, "")
    assert "tapemq topic info" in refused.err


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_time_to_live_goes_with_the_value(tapemq: Tapemq, topic: str, count: str) -> None:
    assert tapemq("pub", topic, "v", "--ttl", "1.5 h", "--count", count).code == 0
    record = tapemq("peek", topic).rows[0]
    lifetime = datetime.fromisoformat(record["expires_at"]) - datetime.fromisoformat(
        record["timestamp"]
    )
    assert lifetime == timedelta(hours=1.5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("v", "--tombstone", "--key", "k"), "only one of VALUE, --file and --tombstone"),
        (("--tombstone",), "--tombstone needs a --key"),
        (("v", "--header", "novalue"), "'novalue' is not NAME=VALUE"),
        (("v", "--count", "0"), "--count"),
        (("--count", "2"), "with --count, give the one record as VALUE"),
        (("v", "--header", "a=1", "--header", "a=2"), "the header 'a' is given twice"),
        (("v", "--ttl", "0"), "is not a duration above 0"),
        (("--file", "."), "--file"),
    ],
)
def test_what_makes_no_sense_ends_with_2(
    offline: Tapemq, arguments: tuple[str, ...], said: str
) -> None:
    ran = offline("pub", "t", *arguments, "--url", "tapemq://127.0.0.1:1")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_file_that_is_not_there_is_named(offline: Tapemq, tmp_path: Path) -> None:
    ran = offline("pub", "t", "--file", tmp_path / "gone")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"tapemq: {tmp_path}/gone: No such file or directory\n"


def test_a_file_without_an_end_is_refused(offline: Tapemq) -> None:
    ran = offline("pub", "t", "--file", "/dev/zero", "--url", "tapemq://127.0.0.1:1")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "tapemq: /dev/zero: more than 16777216 bytes cannot be a record\n"


def test_a_value_that_is_too_large_says_so(tapemq: Tapemq, topic: str, tmp_path: Path) -> None:
    file = tmp_path / "value"
    file.write_bytes(bytes(2 * 1024 * 1024))
    ran = tapemq("pub", topic, "--file", file)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("tapemq: ")
    assert "1048576" in ran.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (bytes(2**20 + 1), "a record's value of 1048577 bytes; the broker takes 1048576"),
        (bytes(2**24 + 2**16), "it has more than 16777216 bytes"),
    ],
)
def test_a_line_that_is_too_long_is_named(
    tapemq: Tapemq,
    topic: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: bytes,
    said: str,
) -> None:
    file = tmp_path / "lines"
    file.write_bytes(b"one\ntwo\n" + line + b"\nfour\n")
    with file.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        ran = tapemq("pub", topic)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(
        f"tapemq: line 3: {said}\n  2 lines before it are published, nothing behind it; "
    )
    assert [row["value"] for row in tapemq("peek", topic).rows] == ["one", "two"]


@pytest.mark.parametrize("is_long", [False, True])
async def test_lines_that_were_refused_are_not_called_published(is_long: bool) -> None:
    refused = m.Failure(wire.BATCH_TOO_LARGE.code, "the limit is lower now")
    async with FakeBroker() as broker, await client_of(broker) as client:

        async def lines() -> AsyncIterator[list[bytes]]:
            broker.react(m.Publish, refused)
            yield [b"one"]
            await broker.received(m.Publish)
            await client.topics()
            if is_long:
                raise LineTooLong("it is")
            yield [b"two"]

        with pytest.raises(tapemq.PayloadTooLarge, match="the limit is lower now"):
            await _publish_all(client, Envelope("t", None, {}, None, None, 0), lines())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("v", "--delay", "1", "--at", "2030-01-01T00:00Z"), "only one of --delay and --at"),
        (("v", "--schedule-key", "k"), "needs --delay or --at"),
        (("v", "--delay", "1", "--count", "2"), "give the one record as VALUE"),
        (("v", "--at", "soon"), "not a time"),
    ],
)
def test_options_for_later_that_do_not_fit(
    tapemq: Tapemq, topic: str, arguments: tuple[str, ...], text: str
) -> None:
    ran = tapemq("pub", topic, *arguments)
    assert ran.code == 2
    assert text in ran.err


def test_a_delayed_value_comes_later(tapemq: Tapemq, topic: str) -> None:
    row = tapemq("pub", topic, "v", "--delay", "1").row
    assert (row["schedule_id"], row["duplicate"]) == (1, False)
    found = tapemq("sub", topic, "--start", "earliest", "--count", "1").row
    assert found["value"] == "v"
    assert found["timestamp"] >= row["due"]
