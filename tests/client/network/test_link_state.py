"""What both links note; test_link.py has one with a broker."""

from tapemq.errors import ConnectionLost, Error, ProtocolViolation
from tapemq.network.link_state import LinkState
from tapemq.network.url import Address, Target
from tapemq.wire import messages as m
from tests.support.sdk import QuickClock
from tests.support.talk import Talk

HERE, THERE = Address("here", 1), Address("there", 2)


class HalfClock(QuickClock):
    def fraction(self) -> float:
        return 0.5


def state() -> LinkState[Talk]:
    return LinkState(Target((HERE, THERE), False), m.Hello([1], "test"), HalfClock())


class Listener:
    def __init__(self) -> None:
        self.seen: list[object] = []

    def link_up(self, connection: Talk) -> None:
        self.seen.append(connection)

    def link_down(self, reason: Error) -> None:
        self.seen.append(reason)


def test_listeners_follow_the_connection() -> None:
    link, listener, talk, reason = state(), Listener(), Talk(), ConnectionLost("gone")
    link.listen(listener)
    link._came_up(HERE, talk)
    assert link.limits == talk.limits
    assert (link.address, link.tls, link.hello.client) == (HERE, False, "test")
    link._went_down(reason, 1.0)
    assert link.hindrance() == " (no connection: gone)"
    link.unlisten(listener)
    link._came_up(HERE, talk)
    assert listener.seen == [talk, reason]


def test_pauses_grow_until_a_connection_lasts() -> None:
    link = state()
    assert [link._pause_s() for _ in range(3)] == [0.05, 0.1, 0.2]
    link._went_down(ConnectionLost("refused"), 0.1)
    assert link._pause_s() == 0.4
    link._went_down(ConnectionLost("gone"), 0.3)
    assert link._pause_s() == 0.05


def test_reason_is_that_of_the_last_attempt() -> None:
    link = state()
    assert "here:1 does not answer" in str(link._not_in_time(2.0))
    link._missed(THERE, OSError(111, "Connection refused"))
    assert "no connection to here:1, there:2 within 2 s: there:2: Connection refused" in str(
        link._not_in_time(2.0)
    )
    link._missed(THERE, ProtocolViolation("no broker"))
    assert link.hindrance() == " (no connection: no broker)"
    assert link.no_answer(2.0) == "no connection within 2 s: no broker"
    link._missed(THERE, None)
    assert "there:2 does not answer" in link.hindrance()


def test_hindrance_of_a_connection_is_that_it_is_blocked() -> None:
    link, talk = state(), Talk()
    link._came_up(HERE, talk)
    assert link.hindrance() == ""
    assert link.no_answer(2.0) == "no answer within 2 s"
    talk.say(m.Flow(0, "disk low"))
    assert link.hindrance() == " (the broker takes none: disk low)"


def test_address_that_a_broker_names_is_the_first_to_try() -> None:
    link, talk = state(), Talk()
    link._came_up(HERE, talk)
    link.move("there:2")
    assert talk.aborts == 1
    assert link._names() == "there:2, here:1"
