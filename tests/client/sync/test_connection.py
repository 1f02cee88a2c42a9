"""The connection on a socket pair; what is said on it is in network/test_exchange.py."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tapemq._clock import Clock
from tapemq.errors import ConnectionLost
from tapemq.network.exchange import WRITE_BUFFER_BYTES
from tapemq.sync.connection import Connection
from tapemq.sync.shared import Shared
from tapemq.wire import messages as m
from tapemq.wire.session import Role, Session
from tests.support.talk import WELCOME


class Pair:
    """A connection, and the broker's end of it."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.far.settimeout(30.0)
        self.shared = Shared(Clock())
        self.wakes = 0
        self.shared.wake = self._wake
        self.broker = Session(Role.BROKER, 0.0)
        self.connection = Connection(self.near, m.Hello([1], "test"), self.shared)
        self.connection.greet()
        assert isinstance(self.next(), m.Hello)
        self.broker.open(frame_bytes_max=1 << 26)
        self.say(WELCOME._replace(publish_window_bytes=1 << 26))

    def _wake(self) -> None:
        self.wakes += 1

    def next(self) -> Any:
        """The next message that arrives."""
        while True:
            for received in self.broker.events():
                return received.message
            self.broker.received(self.far.recv_into(self.broker.get_buffer()), 0.0)

    def say(self, message: Any, correlation: int = 0) -> None:
        self.far.sendall(self.broker.frame_head(message, 0.0, correlation=correlation))
        self.connection.read()


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.connection.discard()
    pair.far.close()


def test_request_is_sent_by_who_makes_it(pair: Pair) -> None:
    answers: list[Any] = []
    pair.connection.send(m.ListTopics(), answers.append)
    assert not pair.connection.wants_write
    assert pair.next() == m.ListTopics()
    pair.say(m.Names(["t"]), correlation=1)
    assert answers == [m.Names(["t"])]


def test_what_the_socket_does_not_take_is_sent_later(pair: Pair) -> None:
    body = bytes(4 * WRITE_BUFFER_BYTES)
    wakes = pair.wakes
    pair.connection.publish(m.Publish(1, 0, 0), [body], lambda _: None)
    assert pair.wakes == wakes + 1  # the reader's thread has to wait for room, too
    assert not pair.connection.admits(1)
    pair.connection.send(m.ListTopics(), lambda _: None)
    arrived = 0
    while pair.connection.wants_write:
        arrived += len(pair.far.recv(1 << 20))
        pair.connection.write()
    assert arrived > 2 * WRITE_BUFFER_BYTES
    assert pair.connection.admits(1)


def test_end_of_the_broker_ends_it(pair: Pair) -> None:
    answers: list[Any] = []
    pair.connection.send(m.ListTopics(), answers.append)
    pair.far.close()
    pair.connection.read()
    assert pair.connection.is_over
    reason = pair.connection.finish()
    assert isinstance(reason, ConnectionLost)
    assert answers == [reason]
    with pytest.raises(ConnectionLost):
        pair.connection.send(m.ListTopics(), answers.append)


def test_request_on_a_broken_connection_is_answered_with_the_others(pair: Pair) -> None:
    answers: list[Any] = []
    pair.far.close()
    pair.connection.send(m.ListTopics(), answers.append)
    pair.connection.send(m.ListTopics(), answers.append)
    assert pair.connection.is_over
    pair.connection.finish()
    assert len(answers) == 2
    assert isinstance(answers[0], ConnectionLost)


def test_goodbye_goes_behind_all_the_rest(pair: Pair) -> None:
    pair.connection.send(m.ListTopics(), lambda _: None)
    pair.connection.close()
    assert pair.next() == m.ListTopics()
    assert pair.next() == m.Bye()
    assert pair.far.recv(1) == b""
    with pytest.raises(ConnectionLost):
        pair.connection.send(m.ListTopics(), lambda _: None)


def test_much_is_read_in_parts(pair: Pair) -> None:
    for _ in range(20):
        pair.far.sendall(self_contained_ping())
    pair.connection.read()
    while pair.connection.has_more:
        pair.connection.read()
    assert [pair.next() for _ in range(20)] == [m.Pong()] * 20


def self_contained_ping() -> bytes:
    return Session(Role.BROKER, 0.0).frame_head(m.Ping(), 0.0)


def test_discarded_socket_says_nothing_to_the_other_side(pair: Pair) -> None:
    """As in a forked child, whose parent still has it."""
    kept = pair.near.dup()
    pair.connection.discard()
    pair.far.setblocking(False)
    with pytest.raises(BlockingIOError):
        pair.far.recv(1)
    kept.close()
