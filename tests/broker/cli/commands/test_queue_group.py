import pytest

from tapemq_broker.cli import output
from tests.broker.cli.commands.conftest import Tapemq
from tests.support.settled import settle


@pytest.fixture
def worked(tapemq: Tapemq, broker_url: str, topic: str) -> str:
    """A topic whose queue group `g` has settled two of four records, one of them dead."""
    for value in ("good", "bad", "good", "good"):
        tapemq("pub", topic, value)
    settle(broker_url, topic, 2)
    return topic


def test_ls_and_lag_know_queue_groups(tapemq: Tapemq, worked: str) -> None:
    row = tapemq("group", "ls", worked).row
    assert (row["kind"], row["lag"], row["hold"]) == ("queue", 2, True)
    assert tapemq("group", "lag", worked, "g").row == {
        "partition": 0,
        "ack_floor": 2,
        "lag": 2,
        "ready": 2,
        "leased": 0,
        "retrying": 0,
        "dead": 1,
    }


def test_info_has_counts_and_settings(
    tapemq: Tapemq, worked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tapemq("group", "set", worked, "g", "max_attempts=3")
    row = tapemq("group", "info", worked, "g").row
    assert (row["settings"]["max_attempts"], row["settings"]["lease_ms"]) == (3, 30_000)
    assert set(row["defaults"]) == set(row["settings"]) - {"max_attempts"}
    assert (row["partitions"][0]["acked"], row["partitions"][0]["dead"]) == (1, 1)
    assert row["partitions"][0]["oldest_unsettled"].endswith("Z")
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    head = tapemq("group", "info", worked, "g").out.split("\n\n")[0]
    lines = [line.split() for line in head.splitlines()]
    assert ["max", "attempts", "3"] in lines
    assert ["lease", "ms", "30,000", "(default)"] in lines
    assert ["retry", "delays", "ms", "-", "(default)"] in lines


def test_explain_is_in_words(tapemq: Tapemq, worked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = tapemq("group", "explain", worked, "g").row
    assert (row["kind"], row["state"]) == ("queue", "no_consumers")
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    lines = tapemq("group", "explain", worked, "g").out.splitlines()
    assert lines[0] == "no consumers:"
    assert lines[1:] == [f"  {sentence}" for sentence in row["sentences"]]


def test_explain_knows_stream_groups(tapemq: Tapemq, topic: str) -> None:
    tapemq("pub", topic, "v")
    tapemq("sub", topic, "--group", "s", "--no-follow")
    row = tapemq("group", "explain", topic, "s").row
    assert (row["kind"], row["state"]) == ("stream", "caught_up")


def test_a_group_is_paused_and_resumed(tapemq: Tapemq, worked: str) -> None:
    def state() -> str:
        return str(tapemq("group", "explain", worked, "g").row["state"])

    assert tapemq("group", "pause", worked, "g") == (0, "", "")
    assert state() == "paused"
    assert tapemq("group", "resume", worked, "g") == (0, "", "")
    assert state() == "no_consumers"


def test_several_settings_are_set_at_once(tapemq: Tapemq, worked: str) -> None:
    assert tapemq("group", "set", worked, "g", "lease=1m", "retry=1,5", "hold=no").code == 0
    settings = tapemq("group", "info", worked, "g").row["settings"]
    assert (settings["lease_ms"], settings["retry_delays_ms"]) == (60_000, "1000,5000")
    assert tapemq("group", "ls", worked).row["hold"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("t", "g"), "Missing argument"),
        (("t", "g", "lease"), "'lease' is not NAME=VALUE"),
        (("t", "g", "x=1"), "there is no setting 'x'"),
    ],
)
def test_what_makes_no_sense_ends_with_2(
    offline: Tapemq, arguments: tuple[str, ...], said: str
) -> None:
    ran = offline("group", "set", *arguments, "--url", "tapemq://127.0.0.1:1")
    assert (ran.code, ran.out) == (2, "")
    assert said in " ".join(ran.err.replace("│", " ").split())


def test_a_group_that_is_not_there_is_named(tapemq: Tapemq, worked: str) -> None:
    ran = tapemq("group", "pause", worked, "nobody")
    assert (ran.code, ran.out) == (1, "")
    assert "'nobody'" in ran.err
