"""What the group log of a partition says of groups, when the partition comes back."""

from collections.abc import Mapping

import pytest

from tapemq_broker.core.broker import Broker
from tapemq_broker.core.effects import Effects, PutState
from tapemq_broker.core.group import Position
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue.dead import Dead
from tapemq_broker.core.queue.entries import Head, dead_key, head_key
from tapemq_broker.core.results import TopicInfo
from tapemq_broker.core.topic import Topic
from tests.support.core.world import LIMITS

TOPIC_ID = 1


def made_again(
    entries: Mapping[bytes, bytes], first: Mapping[bytes, bytes], **settings: int | str
) -> Topic:
    """A topic of which only the partition 0 was known, and what its group log says ``first``: 1
    comes back, with these entries. Both have nine records."""
    core = Broker(1, LIMITS)
    core.topics.prepared(TopicInfo("orders", TOPIC_ID, 1, 1, settings))
    core.topics.get(TOPIC_ID).partitions[0].opened(0, 9, 9)
    core.load_groups(TOPIC_ID, 0, first)
    core.loaded()

    def opened(partitions: list[Partition]) -> Effects:
        partitions[0].opened(0, 9, 9)
        return core.regain_groups(TOPIC_ID, 1, entries)

    core.topic_prepared(TopicInfo("orders", TOPIC_ID, 2, 2, settings), 0.0, opened)
    return core.topics.get(TOPIC_ID)


@pytest.mark.parametrize("is_held", [True, False])
def test_a_group_that_was_told_to_hold_or_not_does_so_there_too(is_held: bool) -> None:
    """Else retention takes there what it has not read, or nothing any more."""
    entries = {b"stream": Position(2, hold=not is_held).encode()}
    topic = made_again(entries, {b"stream": Position(3, hold=is_held).encode()})
    assert [topic.hold_offset(number) for number in (0, 1)] == ([3, 2] if is_held else [None] * 2)
    assert topic.groups["stream"].positions[1] == Position(2, hold=is_held)


@pytest.mark.parametrize("is_known", [True, False])
def test_what_was_dropped_there_stays_so(is_known: bool) -> None:
    """Who reads from the beginning, and groups that are new there, do not get it again."""
    newest_three: dict[str, int | str] = {"max_records": 3, "overflow": "drop_oldest"}
    queue = {b"queue": Head(4, 0, 1, {"hold": False}).encode()}
    topic = made_again(queue if is_known else {}, queue, **newest_three)
    assert [partition.first_offset for partition in topic.partitions] == [6, 6]
    backlogs = topic.queue_groups["queue"].backlogs
    assert [backlogs[number].ledger.settled.floor for number in (0, 1)] == [6, 6]


def test_what_is_held_there_was_not_dropped() -> None:
    first = {b"stream": Position(3, hold=True).encode()}
    entries = {b"stream": Position(2, hold=True).encode()}
    topic = made_again(entries, first, max_records=3, overflow="drop_oldest")
    assert [partition.first_offset for partition in topic.partitions] == [3, 2]


def broker() -> Broker:
    """A topic of two partitions that end at 9; the first one knows a group of each kind."""
    core = Broker(1, LIMITS)
    core.topics.prepared(TopicInfo("orders", TOPIC_ID, 2, 1, {}))
    for partition in core.topics.get(TOPIC_ID).partitions:
        partition.opened(0, 9, 9)
    entries = {b"stream": Position(3).encode(), b"queue": Head(3, 0, 2, {"paused": True}).encode()}
    core.load_groups(TOPIC_ID, 0, entries)
    return core


def test_groups_that_there_are_go_on_and_keep_their_settings() -> None:
    core = broker()
    entries = {b"stream": Position(7, 1).encode(), b"queue": Head(6, 0, 1, {}).encode()}
    dead = Dead("rejected", "", 1, 0, 0, 9, 9)
    effects = core.regain_groups(TOPIC_ID, 1, entries | {dead_key("queue", 7): dead.encode()})
    puts = [effect.changes for effect in effects if isinstance(effect, PutState)]
    assert not any(None in changes.values() for changes in puts)  # nothing of them is removed
    topic = core.topics.get(TOPIC_ID)
    assert topic.groups["stream"].positions[1] == Position(7, 1)
    ledger = topic.queue_groups["queue"].backlogs[1].ledger
    assert (ledger.settled.floor, ledger.terms.policy.paused) == (6, True)


def test_what_is_of_no_group_any_more_is_removed() -> None:
    core = broker()
    entries = {
        b"stream": Head(6, 0, 1, {}).encode(),  # it was made anew, of the other kind
        b"gone": Head(6, 0, 1, {}).encode(),
        dead_key("gone", 5): b"dead",
        head_key("old"): Position(7).encode(),
    }
    topic = core.topics.get(TOPIC_ID)
    (removal, *_) = core.regain_groups(TOPIC_ID, 1, entries)
    assert removal == PutState(topic.partitions[1].groups_log, dict.fromkeys(entries))
    assert [*topic.groups, *topic.queue_groups] == ["stream", "queue"]
    assert topic.groups["stream"].positions.keys() == {0}


def test_what_makes_no_sense_changes_nothing() -> None:
    core = broker()
    for bad in ({b"queue": b"nonsense"}, {b"queue": Head(6, 0, 1, {"lease_ms": -1}).encode()}):
        with pytest.raises(BadEntry):
            core.regain_groups(TOPIC_ID, 1, {b"stream": Position(7).encode(), **bad})
    topic = core.topics.get(TOPIC_ID)
    assert topic.groups["stream"].positions.keys() == {0}
    assert topic.queue_groups["queue"].backlogs.keys() == {0}
