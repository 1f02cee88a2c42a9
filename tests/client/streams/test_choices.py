from typing import Any

import pytest

from tapemq.streams.choices import stream_options
from tapemq.timeouts import check_timeout

CHOICES: dict[str, Any] = {
    "group": "g", "member": "me", "start": 7, "partitions": [1, 2], "prefetch_records": 10,
    "prefetch_bytes": 20, "hold": True, "commit_interval": 2.0, "timeout_s": 3.0,
}  # fmt: skip


def test_choices_become_options() -> None:
    options = stream_options("t", **CHOICES)
    assert options == ("t", "g", "me", ("offset", 7), (1, 2), (10, 20), True, 2.0, 3.0)
    assert stream_options("t", **CHOICES | {"group": None}).group == ""


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"prefetch_records": 0}, "prefetch_records"),
        ({"prefetch_bytes": 0}, "prefetch_bytes"),
        ({"commit_interval": 0.0}, "commit_interval"),
        ({"commit_interval": float("nan")}, "commit_interval"),
        ({"partitions": []}, "partitions"),
        ({"start": "first"}, "start"),
        ({"group": "no such name"}, "group"),
    ],
    ids=str,
)
def test_wrong_choice_is_named(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        stream_options("t", **CHOICES | wrong)


def test_an_interval_is_one_that_timers_can_count() -> None:
    """A NaN among its timers, or what it cannot count, would stop an event loop's, or end it."""
    options = stream_options("t", **CHOICES | {"commit_interval": float("inf")})
    assert options.commit_interval_s == check_timeout("longest", float("inf"))
    with pytest.raises(TypeError, match="commit_interval"):
        stream_options("t", **CHOICES | {"commit_interval": "1"})


@pytest.mark.parametrize("partitions", [[float("nan")], [0.5], ["0"], [None], "0", 0], ids=str)
def test_partitions_that_are_no_numbers_are_named(partitions: Any) -> None:
    with pytest.raises(TypeError, match="partitions are whole numbers, not"):
        stream_options("t", **CHOICES | {"partitions": partitions})
