"""The router alone, without sockets and loops; test_publisher.py has it with a broker."""

from typing import Any

import pytest

from tapemq import errors
from tapemq.errors import Error, IndeterminateError, PartitionNotFound
from tapemq.publishing.item import Item
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.shell import Hands, routed_shell
from tests.support.talk import Talk


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
