import pytest

import tapemq
from tapemq_broker.cli.commands import bench
from tests.broker.cli.commands.conftest import Tapemq

PERCENTILES = {"p50_ms", "p99_ms", "p999_ms", "max_ms"}


@pytest.mark.parametrize("command", ["pub", "sub", "pair"])
def test_measures_and_leaves_nothing_behind(tapemq: Tapemq, command: str) -> None:
    ran = tapemq("bench", command, "--count", "2500", "--size", "1KiB")
    assert ran.code == 0
    row = ran.row
    assert (row["test"], row["records"], row["size_bytes"]) == (command, 2500, 1024)
    assert row["records_per_s"] > 0
    assert not row.keys() & PERCENTILES
    assert [row for row in tapemq("topic", "ls").rows if row["topic"].startswith("bench-")] == []


@pytest.mark.parametrize("command", ["pub", "pair"])
def test_at_a_rate_there_are_percentiles(tapemq: Tapemq, command: str) -> None:
    row = tapemq("bench", command, "--count", "200", "--rate", "2000").row
    assert row["records"] == 200
    assert 0 < row["p50_ms"] <= row["p99_ms"] <= row["p999_ms"] <= row["max_ms"]


@pytest.mark.parametrize("options", [(), ("--rate", "100")])
@pytest.mark.parametrize("command", ["pub", "sub", "pair"])
def test_records_that_are_too_large_are_refused_in_a_line(
    tapemq: Tapemq, command: str, options: tuple[str, ...]
) -> None:
    if command == "sub":
        options = ()
    ran = tapemq("bench", command, "--count", "3", "--size", "2MiB", *options)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "tapemq: a record's value of 2097152 bytes; the broker takes 1048576\n"


def test_at_a_rate_it_takes_some_seconds_unless_told() -> None:
    assert bench._load(None, "100", None).records == 1_000_000
    assert bench._load(None, "100", 500.0).records == 5_000
    assert bench._load(7, "100", 500.0).records == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--size", "15"), "--size is at least 16 bytes"),
        (("--size", "17MiB"), "--size is at most 16777216 bytes"),
        (("--size", "large"), "'large' is not a size"),
        (("--count", "0"), "--count"),
        (("--rate", "0"), "--rate"),
    ],
)
def test_what_makes_no_sense_ends_with_2(
    offline: Tapemq, arguments: tuple[str, ...], said: str
) -> None:
    ran = offline("bench", "pub", *arguments, "--url", "tapemq://127.0.0.1:1")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


async def test_a_topic_that_cannot_be_deleted_is_named(
    capsys: pytest.CaptureFixture[str], broker_url: str
) -> None:
    async with await tapemq.connect(broker_url) as client:
        await bench._delete(client, "bench-gone")
    said = capsys.readouterr().err
    assert said.startswith("tapemq: the topic bench-gone is still there\n")
    assert "tapemq topic rm bench-gone" in said
