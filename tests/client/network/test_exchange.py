"""What every shell gets from the exchange; sockets are in test_connection.py."""

from typing import Any

import pytest

from tapemq.errors import ConnectionLost, ProtocolViolation, TopicNotFound
from tapemq.network.exchange import Reply
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.talk import Talk


def test_answers_and_failures_go_to_their_requests() -> None:
    talk, answers = Talk(), list[Any]()
    talk.send(m.ListTopics(), answers.append)
    talk.send(m.DescribeTopic("x"), answers.append)
    (_, first), (_, second) = talk.heard()
    talk.say(m.Failure(wire.UNKNOWN_TOPIC.code, "no x"), second)
    talk.say(m.Names(["a"]), first)
    assert isinstance(answers[0], TopicNotFound)
    assert answers[1] == m.Names(["a"])


def test_open_requests_learn_that_the_connection_is_gone() -> None:
    talk, answers = Talk(), list[Any]()
    talk.send(m.ListTopics(), answers.append)
    talk.say(m.Done(), correlation=77)  # nobody asked
    assert talk.aborts == 1
    assert isinstance(talk.end(), ProtocolViolation)
    assert isinstance(answers[0], ConnectionLost)
    assert "77" in str(answers[0])


def test_break_is_told_with_its_error() -> None:
    assert "reset" in str(Talk().end(OSError("reset")))
    assert "the broker closed" in str(Talk().end())


def test_quiet_connection_is_asked_and_then_given_up() -> None:
    talk = Talk()
    talk.now = 15.0
    talk.beat(0.0)
    assert talk.heard() == [(m.Ping(), 0)]
    talk.now = 31.0
    talk.beat(15.0)  # late itself: what has arrived meanwhile was not read
    assert talk.heard() == [(m.Ping(), 0)]
    talk.now = 45.9
    talk.beat(0.0)
    assert talk.aborts == 0
    talk.now = 46.0
    talk.beat(0.0)
    assert talk.aborts == 1
    assert "does not answer" in str(talk.end())


def test_ping_is_answered_at_once() -> None:
    talk = Talk()
    for number in (0, 7):
        talk.say(m.Ping(), number)
        assert talk.heard() == [(m.Pong(), number)]


def test_what_is_unsent_holds_publishes_back() -> None:
    talk, offered = Talk(), list[str]()
    talk.pause_writing()
    assert not talk.admits(1)
    talk.want_room("me", 1, lambda: offered.append("room"))
    talk.resume_writing()
    assert offered == ["room"]
    assert talk.take_room("me")
    assert talk.admits(1000)
    talk.publish(m.Publish(1, 0, 0), [], lambda _: None)
    talk.window.sent(960)
    assert talk.admits(40)
    assert not talk.admits(41)


def test_room_is_kept_for_who_came_first() -> None:
    talk, offered = Talk(), list[str]()
    talk.publish(m.Publish(1, 0, 0), [bytes(700)], lambda _: None)
    talk.publish(m.Publish(1, 0, 0), [bytes(300)], lambda _: None)
    for who, size_bytes in (("large", 800), ("late", 200), ("gone", 1)):
        talk.want_room(who, size_bytes, lambda who=who: offered.append(who))  # type: ignore[misc]
    talk.want_no_room("gone")
    ((_, first), (_, second)) = talk.heard()
    talk.say(m.Receipt(0, 0), second)
    assert offered == []
    assert not talk.admits(100)  # though there is room: it is for others
    talk.say(m.Receipt(0, 0), first)
    assert offered == ["large", "late"]
    assert not talk.has_room(1)
    assert talk.take_room("large")
    assert not talk.take_room("large")
    talk.want_room("next", 900, lambda: offered.append("next"))
    talk.want_no_room("late")  # it has given up
    assert offered == ["large", "late", "next"]


def test_message_that_cannot_be_said_is_refused_before_it_is_sent() -> None:
    talk = Talk()
    with pytest.raises(ValueError, match="partitions"):
        talk.send(m.CreateTopic("t", partitions=-1), lambda _: None)
    assert talk.heard() == []


def test_requests_and_answers_may_have_payloads() -> None:
    talk, answers = Talk(), list[Any]()
    talk.send(m.Settle(1, "ack"), answers.append, b"tokens")
    talk.push(m.Started(1), b"more")
    settle, started = talk.broker.events()
    assert (bytes(settle.payload), bytes(started.payload)) == (b"tokens", b"more")
    talk.say(m.Settled(1), settle.correlation, b"lost")
    assert answers == [Reply(m.Settled(1), b"lost")]


def test_leases_go_to_their_subscription() -> None:
    talk, pushed = Talk(), list[Any]()
    number = talk.open_subscription(lambda message, payload: pushed.append((message, *payload)))
    for message in (m.Leased(number, 0, 7, b"", 1), m.LeaseLost(number, "expired")):
        talk.say(message, payload=b"x")
        assert pushed.pop() == (message, *b"x")
