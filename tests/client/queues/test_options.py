from typing import Any

import pytest

from tapemq.queues.options import QueueOptions, consume_request, queue_options
from tapemq.wire import messages as m


def options(**changes: Any) -> QueueOptions:
    usual: dict[str, Any] = {
        "group": "g",
        "consumer": "me",
        "start": "earliest",
        "prefetch": 100,
        "prefetch_bytes": 1000,
        "timeout_s": 2.0,
    }
    return queue_options("t", **usual | changes)


def test_request_says_what_was_asked_for() -> None:
    wanted = options(start=7, max_attempts=3)
    assert consume_request(wanted, 5) == m.Consume(
        0, 5, "g", "me", "offset", 7, 100, 1000, {"max_attempts": 3}, 2000
    )


@pytest.mark.parametrize(
    "wrong",
    [{"group": ""}, {"prefetch": 0}, {"prefetch_bytes": 0}, {"start": "first"}, {"leese": 3}],
    ids=str,
)
def test_impossible_choices_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        options(**wrong)
