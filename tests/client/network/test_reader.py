"""What both shells' subscriptions note; test_subscriptions.py has them with a broker."""

from collections.abc import Sequence
from typing import Any

import pytest

from tapemq.errors import Closed, NotHere, StorageFailed, TopicNotFound, from_failure
from tapemq.network.link_state import LinkState
from tapemq.network.reader import Reader
from tapemq.network.url import Address, Target
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.sdk import HELLO, QuickClock
from tests.support.talk import Talk

HERE = Address("here", 1)
TOPIC = m.Topic("t", 7, 1, 1, {})


class Notes(Reader[Talk]):
    """Notes what it is told."""

    def __init__(self, link: LinkState[Talk]) -> None:
        super().__init__(link, "t", 1.0, "stream", "with")
        self.seen: list[Any] = []

    def _plan(self) -> Sequence[m.Unsubscribe]:
        return [m.Unsubscribe(0)]

    def _subscribed(self, number: int, request: Any) -> None:
        self.seen.append(number)

    def _cut_off(self) -> None:
        self.seen.append("cut off")

    def _pushed(self, message: Any, payload: memoryview) -> None:
        self.seen.append(message)

    def link_up(self, connection: Talk) -> None:
        self.seen.append(connection)

    def _stop(self) -> None:
        self.seen.append("stop")

    def _progressed(self) -> None:
        self.seen.append("progress")


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
def link(talk: Talk) -> LinkState[Talk]:
    link: LinkState[Talk] = LinkState(Target((HERE,), False), HELLO, QuickClock())
    link._came_up(HERE, talk)
    return link


@pytest.fixture
def notes(link: LinkState[Talk]) -> Notes:
    notes = Notes(link)
    assert "not open: use it with `with`" in str(notes.failure)
    notes.failure = None
    notes._topic = TOPIC
    return notes


def test_it_is_pushed_to_until_it_drops_its_subscriptions(notes: Notes, talk: Talk) -> None:
    detached = m.Detached(1, 0, 0, wire.FENCED.code, "taken")
    assert [notes._number(talk, one) for one in notes._plan()] == [m.Unsubscribe(1)]
    talk.say(detached)
    notes._drop_subscriptions(talk)
    talk.say(detached)
    assert notes.seen == [1, detached]
    assert [message for message, _ in talk.heard()] == [m.Unsubscribe(1)]


def test_the_first_failure_counts(notes: Notes, link: LinkState[Talk], talk: Talk) -> None:
    link.listen(notes)
    notes._number(talk, m.Unsubscribe(0))
    notes.fail(StorageFailed("damaged"))
    notes.close()
    link._came_up(HERE, talk)
    assert isinstance(notes.failure, StorageFailed)
    assert notes.seen == [1, *["stop", "progress"] * 2]
    assert [message for message, _ in talk.heard()] == [m.Unsubscribe(1)]


def test_closed_one_says_so(notes: Notes) -> None:
    notes.close()
    assert isinstance(notes.failure, Closed)
    assert str(notes.failure) == "the stream is closed"


def test_what_was_subscribed_is_lost_with_the_connection(notes: Notes, talk: Talk) -> None:
    notes._number(talk, m.Unsubscribe(0))
    notes.link_down(Closed("gone"))
    notes._drop_subscriptions(talk)
    assert notes.seen == [1, "cut off"]
    assert talk.heard() == []


@pytest.mark.parametrize("subscribes_again", [False, True])
def test_numbers_of_another_connection_are_not_dropped_on_this_one(
    notes: Notes, talk: Talk, subscribes_again: bool
) -> None:
    notes._number(talk, m.Unsubscribe(0))
    other = Talk()
    assert other.open_subscription(lambda message, payload: None) == 1  # another reader's
    if subscribes_again:
        notes._number(other, m.Unsubscribe(0))
    notes._drop_subscriptions(other)
    dropped = [message for message, _ in other.heard()]
    assert dropped == ([m.Unsubscribe(2)] if subscribes_again else [])


def test_another_topic_by_the_name_is_another_one(notes: Notes) -> None:
    notes._describe_again(TOPIC._replace(partitions=3))
    assert notes._topic == TOPIC._replace(partitions=3)
    with pytest.raises(TopicNotFound, match="another one created in its place"):
        notes._describe_again(TOPIC._replace(topic_id=8))


def test_refusals_say_how_long_to_wait_and_where_to_go(
    notes: Notes, link: LinkState[Talk], talk: Talk
) -> None:
    later = m.Failure(wire.OVERLOADED.code, "full", retry_after_ms=250)
    assert notes._heed(from_failure(later)) == 0.25
    assert notes._heed(NotHere("moved", "there:2")) == 0.5
    assert talk.aborts == 1
    assert link._names() == "there:2, here:1"


def test_ended_subscription_is_made_again_if_that_helps(notes: Notes, talk: Talk) -> None:
    notes._ended(from_failure(m.Failure(wire.OVERLOADED.code, "full")))
    assert notes.seen == [talk]
    notes._ended(from_failure(m.Failure(wire.UNKNOWN_TOPIC.code, "deleted")))
    assert isinstance(notes.failure, TopicNotFound)
