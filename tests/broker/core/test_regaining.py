"""What the group log of a partition says of groups, when the partition comes back."""

import pytest

from tapemq_broker.core.broker import Broker
from tapemq_broker.core.effects import PutState
from tapemq_broker.core.group import Position
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.queue.dead import Dead
from tapemq_broker.core.queue.entries import Head, dead_key, head_key
from tapemq_broker.core.results import TopicInfo
from tests.support.core.world import LIMITS

TOPIC_ID = 1


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
