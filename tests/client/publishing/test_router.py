"""The router alone, without sockets and loops; test_publisher.py has it with a broker."""

from typing import Any

import pytest

from tapemq import errors
from tapemq.batch import decode_prefix
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
    ((_, correlation),) = published(talk)
    talk.say(m.Receipt(0, 0), correlation)
    hands.now = 3.0
    shell.add(Item(b"1", None, b""), 0, 0)
    assert published(talk) == []
    (_, (when, leave)) = hands.due
    assert when == 5.0
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


def published_to_two_partitions(hands: Hands) -> tuple[Shell, Talk]:
    """A record each, sent, and not answered yet."""
    shell, talk = routed_shell(hands), Talk()
    hands.connection = talk
    for partition in (0, 1):
        shell.add(Item(b"0", None, b""), partition, 0)
    hands.turn()
    return shell, talk


def test_stale_route_is_looked_up_once_and_followed(hands: Hands) -> None:
    shell, talk = published_to_two_partitions(hands)
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


@pytest.mark.parametrize(("topic_id", "epoch"), [(7, 0), (8, 1)])
def test_only_a_topic_made_anew_has_lost_the_place(hands: Hands, topic_id: int, epoch: int) -> None:
    """What is numbered anew, and is in the log already, would be there twice."""
    shell = routed_shell(hands)
    hands.connection = lost = Talk()
    shell.add(Item(b"0", None, b""), 0, 0)
    hands.turn()
    hands.connection = None
    lost.end()
    shell.rerouted(m.Topic("t", topic_id, 3, 2, {}))
    hands.connection = talk = Talk()
    shell.link_up(talk)
    (sent,) = [received for received in talk.broker.events() if type(received.message) is m.Publish]
    prefix = decode_prefix(bytes(sent.payload))
    assert (sent.message.topic_id, prefix.producer_epoch) == (topic_id, epoch)


@pytest.mark.parametrize(("asked_ms", "waits_s"), [(0, 0.1), (5000, 5.0)])
def test_a_refused_batch_waits_before_it_goes_again(
    hands: Hands, asked_ms: int, waits_s: float
) -> None:
    shell, talk = routed_shell(hands), Talk()
    hands.connection = talk
    shell.add(Item(b"0", None, b""), 0, 0)
    hands.turn()
    ((_, correlation),) = published(talk)
    busy = m.Failure(wire.OVERLOADED.code, "busy", retry_after_ms=asked_ms)
    talk.say(busy, correlation)
    assert published(talk) == []
    assert "busy" in shell._refusal
    ((when, resume),) = hands.due
    assert when == waits_s
    hands.now = waits_s - 0.05
    shell.link_up(talk)
    assert published(talk) == []
    resume()
    ((_, correlation),) = published(talk)
    talk.say(m.Receipt(0, 0), correlation)
    assert (shell.idle, shell._refusal) == (True, "")


@pytest.mark.parametrize("name", ["lost", "unknown", "out of order"])
def test_what_no_state_of_the_broker_is_in_the_way_of_goes_again_at_once(
    hands: Hands, name: str
) -> None:
    shell, talk = routed_shell(hands), Talk()
    hands.connection = talk
    shell.add(Item(b"0", None, b""), 0, 0)
    hands.turn()
    ((_, correlation),) = published(talk)
    if name == "lost":
        hands.connection = Talk()
        talk.end()
    else:
        kind = wire.UNKNOWN_PRODUCER if name == "unknown" else wire.OUT_OF_ORDER
        talk.say(m.Failure(kind.code, ""), correlation)
    assert isinstance(hands.connection, Talk)
    assert len(published(hands.connection)) == 1
    assert hands.due == []


def test_full_batches_do_not_linger(hands: Hands) -> None:
    shell, talk = routed_shell(hands, linger_s=2.0, batch_bytes=100), Talk()
    hands.connection = talk
    for size_bytes in (60, 60, 300):
        shell.add(Item(bytes(size_bytes), None, b""), 0, 0)
    assert len(published(talk)) == 3


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
    shell.add(Item(bytes(1600), None, b""), 0, 0)
    hands.turn()
    talk._tell_the_open_requests(ConnectionLost("gone"))
    hands.connection = talk = lesser_talk()
    shell.link_up(talk)
    assert published(talk) == []
    assert type(shell.failure) is (IndeterminateError if is_sent else PayloadTooLarge)
    assert "now its batch_bytes_max is 1000: raise that, or" in str(shell.failure)


@pytest.mark.parametrize("is_sent", [True, False])
def test_what_is_too_large_together_since_a_restart_is_sent_in_smaller_batches(
    hands: Hands, is_sent: bool
) -> None:
    shell, talk = routed_shell(hands), Talk()
    if is_sent:
        hands.connection = talk
    for _ in range(3):
        shell.add(Item(bytes(600), None, b""), 0, 0)
    hands.turn()
    if is_sent:
        ((_, correlation),) = published(talk)
        talk.say(m.Failure(wire.OVERLOADED.code, "the broker is stopping"), correlation)
    hands.connection = talk = lesser_talk()
    hands.now = 1.0
    shell.link_up(talk)
    assert shell.failure is None
    assert len(published(talk)) == 3


def test_what_is_just_as_large_as_the_broker_takes_is_sent_again(hands: Hands) -> None:
    shell, talk = routed_shell(hands), Talk()
    hands.connection = talk
    shell.add(Item(bytes(600), None, b""), 0, 0)
    hands.turn()
    (sent,) = [one for one in talk.broker.events() if type(one.message) is m.Publish]
    talk._tell_the_open_requests(ConnectionLost("gone"))
    hands.connection = talk = lesser_talk()
    talk.welcome = WELCOME._replace(batch_bytes_max=len(sent.payload), record_bytes_max=500)
    shell.link_up(talk)
    assert len(published(talk)) == 1


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


def test_batches_are_as_large_as_the_broker_takes_when_the_topic_is_known(hands: Hands) -> None:
    """Not when the producer was made, or the first record published: it may have restarted."""
    hands.connection = talk = lesser_talk()
    shell = routed_shell(hands)
    for _ in range(3):
        shell.add(Item(bytes(600), None, b""), 0, 0)
    hands.turn()
    assert shell.failure is None
    assert len(published(talk)) == 2


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


def test_late_records_that_were_refused_are_not_in_the_log(hands: Hands) -> None:
    """As those of a topic that is full: who is told so may publish them elsewhere."""
    shell, talk = published_to_two_partitions(hands)
    told: list[type[Error]] = []
    for _, correlation in published(talk):
        talk.say(m.Failure(wire.OVERLOADED.code, "it is full"), correlation)
        told.append(type(shell.expired("too late")))
    assert told == [IndeterminateError, errors.TimeoutError]
    assert "none of these records is in the log" in str(shell.expired("too late"))


def test_failure_is_final(hands: Hands) -> None:
    shell, talk = routed_shell(hands), Talk()
    hands.connection = talk
    shell.add(Item(b"0", None, b""), 0, 0)
    hands.turn()
    ((_, correlation),) = published(talk)
    talk.say(m.Failure(wire.STORAGE_FAILED.code, "damaged"), correlation)
    assert "damaged" in str(shell.failure)
    assert shell.idle


def test_who_waits_is_woken_by_a_failure(hands: Hands) -> None:
    shell = routed_shell(hands)
    shell.add(Item(b"0", None, b""), 0, 0)
    for _ in range(2):
        shell.fail(Error("the end"))
    assert (shell.steps, shell.closes) == (1, 1)


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


def test_two_levels_are_levels(hands: Hands) -> None:
    shell = routed_shell(hands)
    shell.routed(m.Producer(1, 0), m.Topic("t", 7, 6, 1, {"priorities": 2}))
    places = []
    for _ in range(4):
        places.append(shell.add(Item(b"", None, b"", priority=1), None, 0).partition)
        shell.hurry()
    assert places == [1, 3, 5, 1]


def test_partitions_of_a_topic_that_was_deleted_are_left(hands: Hands) -> None:
    shell = levels_shell(hands)
    assert shell.add(Item(b"", None, b"", priority=2), None, 0).partition == 2
    shell.rerouted(m.Topic("t", 8, 2, 1, {"priorities": 2}))
    assert shell.add(Item(b"", None, b"", priority=2), None, 0).partition == 1


def test_who_always_has_more_leaves_room_to_the_others(hands: Hands) -> None:
    talk = Talk()  # takes 1000 bytes at a time
    hands.connection = talk
    busy, other = (routed_shell(hands, batch_bytes=300) for _ in range(2))
    for _ in range(9):
        busy.add(Item(bytes(290), None, b""), 0, 0)
    hands.turn()
    open_requests = [correlation for _, correlation in published(talk)]
    assert 1 < len(open_requests) < 9
    other.add(Item(bytes(290), None, b""), 1, 0)
    other.add(Item(bytes(290), None, b""), 1, 0)
    hands.turn()
    partitions = []
    for _ in range(5):
        talk.say(m.Receipt(0, 0), open_requests.pop(0))
        ((message, correlation),) = published(talk)
        open_requests.append(correlation)
        partitions.append(message.partition)
    assert partitions == [0, 1, 0, 1, 0]
