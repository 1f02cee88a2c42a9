from typing import Any

import pytest

import tapemq
from tapemq_broker.cli.group_text import lag_rows, place_rows, stream_explanation


def group(*places: tuple[int, str], members: int = 1, kind: str = "stream") -> tapemq.GroupInfo:
    """A group with so much to read, and these readers, by partition."""
    parts = tuple(
        tapemq.GroupPartition(number, 10, lag, 1, member, None)
        for number, (lag, member) in enumerate(places)
    )
    return tapemq.GroupInfo("t", "g", kind, False, members, parts)


def part(**fields: Any) -> tapemq.QueuePartition:
    known = dict.fromkeys(tapemq.QueuePartition._fields, 0)
    return tapemq.QueuePartition(**{**known, "oldest_unsettled": None, **fields})


def test_a_stream_group_has_its_cursor_and_lag() -> None:
    assert lag_rows(group((3, "m")), None) == [{"partition": 0, "cursor": 10, "lag": 3}]
    assert place_rows(group((3, "")), None)[0]["member"] is None


def test_a_queue_group_has_its_counts() -> None:
    queue = tapemq.QueueInfo("t", "g", {}, 1, (part(ack_floor=7, ready=2, leased=1, failed=5),))
    found = group((3, ""), kind="queue")
    (row,) = lag_rows(found, queue)
    assert row == {
        "partition": 0,
        "ack_floor": 7,
        "lag": 3,
        "ready": 2,
        "leased": 1,
        "retrying": 0,
        "dead": 0,
    }
    (place,) = place_rows(found, queue)
    assert row.items() <= place.items()
    assert place["failed"] == 5


@pytest.mark.parametrize(
    ("info", "state", "said"),
    [
        (group((0, "m"), (0, "")), "caught_up", "Every record that there is has been committed."),
        (group((1500, ""), members=0), "no_consumers", "1,500 records are not committed yet"),
        (group((2, "m"), (0, "")), "delivering", "Partition 0 is read by m, which has not"),
        (group((1, "m"), (0, "")), "delivering", "committed 1 record. 1 record is not committed"),
        (
            group((2, "m"), (0, "")),
            "delivering",
            "2 records are not committed yet, in 1 partition.",
        ),
        (group((2, "m"), (5, "")), "delivering", "Partition 1 is read by nobody at the moment."),
    ],
)
def test_a_stream_group_is_explained(info: tapemq.GroupInfo, state: str, said: str) -> None:
    why = stream_explanation(info)
    assert why.state == state
    assert said in " ".join(why.sentences)
