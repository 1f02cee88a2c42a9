"""The router alone, without sockets and loops; test_publisher.py has it with a broker."""

from typing import Any

import pytest

from tapemq import errors
from tapemq.errors import (
    ConnectionLost,
    Error,
    IndeterminateError,
    PartitionNotFound,
    PayloadTooLarge,
)
from tapemq.publishing.item import Item
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tapemq.wire.partitions import partition_of
from tests.support.shell import Hands, Shell, routed_shell
from tests.support.talk import WELCOME, Talk


@pytest.fixture
def hands() -> Hands:
    return Hands()


def published(talk: Talk) -> list[tuple[Any, int]]:
    return [(message, number) for message, number in talk.heard() if type(message) is m.Publish]


def test_records_leave_at_the_end_of_the_turn(hands: Hands) -> None:
    shell, talk = routed_shell(hands), Talk()
    hands.connection = talk
    for number in range(3):
        shell.add(Item(b"%d" % number, None, b""), 0, 0)
    assert published(talk) == []
    hands.turn()
    ((message, correlation),) = published(talk)
    assert (message.topic_id, message.partition) == (7, 0)
    talk.say(m.Receipt(0, 0), correlation)
    assert shell.idle
    assert shell.steps == 1


def test_records_linger(hands: Hands) -> None:
    shell, talk = routed_shell(hands, linger_s=2.0), Talk()
    hands.connection = talk
    shell.add(Item(b"0", None, b""), 0, 0)
    hands.turn()
    assert published(talk) == []
    ((when, leave),) = hands.due
    assert when == 2.0
    leave()
    assert len(published(talk)) == 1


def test_records_that_have_left_are_not_kept_as_long_as_they_might_have_lingered(
    hands: Hands,
) -> None:
    shell, talk = routed_shell(hands, linger_s=60.0), Talk()
    hands.connection = talk
    for number in range(5):
        hands.now = float(number)
        shell.add(Item(b"%d" % number, None, b""), 0, 0)
        shell.hurry()
        ((_, correlation),) = published(talk)
        talk.say(m.Receipt(number, 0), correlation)
    assert shell.idle
    ((when, leave),) = hands.due
    assert when == 60.0
    shell.add(Item(b"5", None, b""), 0, 0)
    hands.now = when
    leave()
    assert published(talk) == []
    (_, (when, leave)) = hands.due
    assert when == 64.0
    leave()
    assert len(published(talk)) == 1


def test_partition_that_is_not_there_is_refused(hands: Hands) -> None:
    with pytest.raises(PartitionNotFound, match="no partition 2: it has 2"):
        routed_shell(hands).add(Item(b"0", None, b""), 2, 0)


def test_stale_route_is_looked_up_once_and_followed(hands: Hands) -> None:
    shell, talk = routed_shell(hands), Talk()
    hands.connection = talk
    for partition in (0, 1):
        shell.add(Item(b"0", None, b""), partition, 0)
    hands.turn()
    stale = m.Failure(wire.STALE_METADATA.code, "there was a change")
    for _, correlation in published(talk):
        talk.say(stale, correlation)
    assert shell.lookups == 1
    hands.now = 1.0
    for _, resume in hands.due:
        resume()
    assert published(talk) == []
    shell.rerouted(m.Topic("t", 8, 2, 1, {}))
    assert [message.topic_id for message, _ in published(talk)] == [8, 8]


def test_broker_elsewhere_is_gone_to(hands: Hands) -> None:
    shell, talk = routed_shell(hands), Talk()
    hands.connection = talk
    shell.add(Item(b"0", None, b""), 0, 0)
    hands.turn()
    ((_, correlation),) = published(talk)
    talk.say(m.Failure(wire.NOT_HERE.code, "", address="b:1"), correlation)
    assert hands.moved_to == "b:1"


def lesser_talk() -> Talk:
    """With a broker that was started anew with lower limits."""
    talk = Talk()
    talk.welcome = WELCOME._replace(batch_bytes_max=1000, record_bytes_max=900)
    talk.window.size_bytes = 1 << 20
    return talk


@pytest.mark.parametrize("is_sent", [True, False])
def test_what_is_too_large_since_a_restart_is_not_sent_again_and_again(
    hands: Hands, is_sent: bool
) -> None:
    shell, talk = routed_shell(hands), Talk()
    if is_sent:
        hands.connection = talk
    for _ in range(3):
        shell.add(Item(bytes(600), None, b""), 0, 0)
    hands.turn()
    talk._tell_the_open_requests(ConnectionLost("gone"))
    hands.connection = talk = lesser_talk()
    shell.link_up(talk)
    assert published(talk) == []
    assert type(shell.failure) is (IndeterminateError if is_sent else PayloadTooLarge)


def test_batches_are_as_large_as_the_broker_takes_now(hands: Hands) -> None:
    shell, talk = routed_shell(hands), lesser_talk()
    shell.add(Item(bytes(600), None, b""), 0, 0)
    hands.connection = talk
    shell.link_up(talk)
    for partition in (0, 1):
        for _ in range(2):
            shell.add(Item(bytes(600), None, b""), partition, 0)
    hands.turn()
    assert shell.failure is None
    assert [message.partition for message, _ in published(talk)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("is_sent", "kind"), [(True, IndeterminateError), (False, errors.TimeoutError)]
)
def test_late_records_were_sent_or_not(hands: Hands, is_sent: bool, kind: type[Error]) -> None:
    shell = routed_shell(hands)
    if is_sent:
        hands.connection = Talk()
    shell.add(Item(b"0", None, b""), 0, 0)
    hands.turn()
    assert shell.oldest_at() == 0.0
    error = shell.expired("too late")
    assert type(error) is kind
    assert "a tree" in str(error)


def test_failure_is_final(hands: Hands) -> None:
    shell, talk = routed_shell(hands), Talk()
    hands.connection = talk
    shell.add(Item(b"0", None, b""), 0, 0)
    hands.turn()
    ((_, correlation),) = published(talk)
    talk.say(m.Failure(wire.STORAGE_FAILED.code, "damaged"), correlation)
    assert "damaged" in str(shell.failure)
    assert shell.idle


def levels_shell(hands: Hands) -> Shell:
    """Of a topic with two partitions of each of three levels."""
    shell = routed_shell(hands)
    shell.routed(m.Producer(1, 0), m.Topic("t", 7, 6, 1, {"priorities": 3}))
    return shell


def test_key_and_priority_decide_the_partition(hands: Hands) -> None:
    shell = levels_shell(hands)
    for key in (b"a", b"b", b"c", b"d"):
        places = [
            shell.add(Item(b"", key, b"", priority=priority), None, 0).partition
            for priority in (0, 1, 2, 3, 9)
        ]
        first = partition_of(key, 2) * 3
        assert places == [first, first + 1, first + 2, first + 2, first + 2]
    assert shell.add(Item(b"", b"a", b"", priority=2), 0, 0).partition == 0


def test_batches_without_a_key_take_turns_within_their_level(hands: Hands) -> None:
    shell, places = levels_shell(hands), []
    for priority in (0, 2, 0, 2):
        for _ in range(2):
            lane = shell.add(Item(b"", None, b"", priority=priority), None, 0)
            places.append(lane.partition)
        shell.hurry()
    assert places == [0, 0, 2, 2, 3, 3, 5, 5]
    assert shell.add(Item(b"", None, b""), None, 0).partition == 0
    assert shell.add(Item(b"", None, b"", priority=1), None, 0).partition == 1


def test_a_topic_made_anew_has_levels_of_its_own(hands: Hands) -> None:
    shell = routed_shell(hands)
    assert shell.add(Item(b"", None, b"", priority=9), None, 0).partition == 0
    shell.rerouted(m.Topic("t", 8, 4, 1, {"priorities": 4}))
    assert shell.add(Item(b"", None, b"", priority=9), None, 0).partition == 3
