"""Room in the publish window for batches that turn out not to be sent."""

from collections.abc import Callable

import pytest

from tapemq.errors import Closed
from tapemq.publishing.item import Item
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.shell import Hands, Shell, routed_shell
from tests.support.talk import Talk


def large() -> Item:
    return Item(bytes(450), None, b"")


def failed(shell: Shell, _: Talk, __: int) -> None:
    shell.fail(Closed("enough"))


def refused(_: Shell, talk: Talk, correlation: int) -> None:
    busy = m.Failure(wire.OVERLOADED.code, "busy", retry_after_ms=60_000)
    talk.say(busy, correlation)


def looked_up_again(_: Shell, talk: Talk, correlation: int) -> None:
    talk.say(m.Failure(wire.STALE_METADATA.code, "the topic was made anew"), correlation)


@pytest.mark.parametrize("given_up", [failed, refused, looked_up_again])
def test_room_that_is_not_used_now_is_for_others(
    given_up: Callable[[Shell, Talk, int], None],
) -> None:
    hands, talk = Hands(), Talk()  # takes 1000 bytes at a time
    hands.connection = talk
    shell, other = routed_shell(hands, batch_bytes=500), routed_shell(hands)
    shell.add(Item(b"0", None, b""), 0, 0)
    hands.turn()
    ((_, correlation),) = talk.heard()
    talk.publish(m.Publish(1, 0, 0), [bytes(600)], lambda _: None)
    shell.add(large(), 0, 0)
    shell.add(large(), 0, 0)
    other.add(Item(b"1", None, b""), 1, 0)
    hands.turn()
    talk.heard()
    given_up(shell, talk, correlation)
    ((message, _),) = talk.heard()
    assert message.partition == 1


def test_room_that_is_left_after_everybodys_turn_is_used_at_once() -> None:
    hands, talk = Hands(), Talk()  # takes 1000 bytes at a time
    hands.connection = talk
    shell, other = routed_shell(hands, batch_bytes=300), routed_shell(hands)
    talk.publish(m.Publish(1, 0, 0), [bytes(1000)], lambda _: None)
    ((_, correlation),) = talk.heard()
    for _ in range(2):
        shell.add(Item(bytes(290), None, b""), 0, 0)
    other.add(Item(b"1", None, b""), 1, 0)
    hands.turn()
    assert not talk.heard()
    talk.say(m.Receipt(0, 0), correlation)
    assert [message.partition for message, _ in talk.heard()] == [0, 1, 0]
