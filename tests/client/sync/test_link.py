import threading
from typing import Any

import pytest

from tapemq import errors
from tapemq.errors import Closed, ConnectionLost, IndeterminateError, ProtocolViolation
from tapemq.network.url import Address, Target
from tapemq.sync.dial import dial
from tapemq.sync.link import Link
from tapemq.sync.promise import Changes
from tapemq.sync.shared import Shared
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.blocking import LONG_S, BrokerThread, in_thread, outcome
from tests.support.fake_broker import Reaction
from tests.support.sdk import HELLO, SENT_BY_THEN_S, QuickClock

TOO_LITTLE_S = 0.05


def link_to(*ports: int) -> Link:
    targets = tuple(Address("127.0.0.1", port) for port in ports)
    return Link(Target(targets, False), HELLO, Shared(QuickClock()), dial)


class Listener:
    """Sees connections come and go."""

    def __init__(self, link: Link, shared: Shared) -> None:
        self.seen: list[str] = []
        self._changes = Changes()
        self._shared = shared
        with shared.lock:
            link.listen(self)

    def link_up(self, connection: Any) -> None:
        self._see("up")

    def link_down(self, reason: Exception) -> None:
        self._see("down")

    def _see(self, what: str) -> None:
        self.seen.append(what)
        self._changes.happened()

    def sees(self, *expected: str) -> None:
        """Wait until just this has happened."""
        while True:
            with self._shared.lock:
                if self.seen == [*expected]:
                    return
                change = self._changes.next()
            assert change.wait(LONG_S), self.seen


def test_first_connection_fails_with_the_reason(thread: BrokerThread) -> None:
    with BrokerThread() as gone:
        port = gone.broker.port
    with pytest.raises(ConnectionLost, match=r"within 0\.05 s"):
        link_to(port).open(TOO_LITTLE_S)
    link = link_to(port, thread.broker.port)
    link.open(LONG_S)
    link.close()


def test_thread_that_cannot_be_started_is_started_by_a_later_call(
    thread: BrokerThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    link = link_to(thread.broker.port)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        for _ in range(2):  # nobody waits for a thread that there is not
            with pytest.raises(RuntimeError, match="can't start"):
                link.call(m.ListTopics(), LONG_S)
    assert link.call(m.ListTopics(), LONG_S) == m.Names([])
    link.close()


def test_what_cannot_get_better_fails_at_once(thread: BrokerThread) -> None:
    thread.react(m.Hello, m.Failure(wire.UNSUPPORTED_VERSION.code, "only version 9"))
    with pytest.raises(ProtocolViolation, match="only version 9"):
        link_to(thread.broker.port).open(LONG_S)


def test_lost_connection_is_made_again(thread: BrokerThread) -> None:
    link, shared = thread.link()
    listener = Listener(link, shared)
    thread.cut()
    listener.sees("down", "up")
    assert link.call(m.ListTopics(), LONG_S) == m.Names([])
    link.close()


def test_requests_of_many_threads_find_their_answers(thread: BrokerThread) -> None:
    link, _ = thread.link()
    for number in range(20):
        thread.call(thread.broker.create, f"t{number}")
    asked = [in_thread(link.call, m.DescribeTopic(f"t{n}"), LONG_S) for n in range(20)]
    assert [outcome(answer).topic for answer in asked] == [f"t{n}" for n in range(20)]
    link.close()


def test_repeatable_request_survives_a_loss(thread: BrokerThread) -> None:
    link, _ = thread.link()
    thread.react(m.ListTopics, Reaction.CUT, Reaction.LOSE)
    assert link.call(m.ListTopics(), LONG_S) == m.Names([])
    assert len(thread.received(m.ListTopics)) == 3
    link.close()


def test_other_requests_are_not_made_twice(thread: BrokerThread) -> None:
    link, _ = thread.link()
    thread.react(m.CreateTopic, Reaction.LOSE)
    with pytest.raises(IndeterminateError, match="CreateTopic"):
        link.call(m.CreateTopic("t"), LONG_S, repeatable=False)
    assert len(thread.received(m.CreateTopic)) == 1
    link.close()


def test_overloaded_broker_is_asked_again(thread: BrokerThread) -> None:
    link, _ = thread.link()
    thread.react(m.ListTopics, m.Failure(wire.OVERLOADED.code, "busy", retry_after_ms=1))
    assert link.call(m.ListTopics(), LONG_S) == m.Names([])
    link.close()


def test_what_an_overloaded_broker_has_refused_is_not_sent_again_when_the_time_is_over(
    thread: BrokerThread,
) -> None:
    link, _ = thread.link()
    thread.react(m.DeleteTopic, m.Failure(wire.OVERLOADED.code, "busy", retry_after_ms=60_000))
    with pytest.raises(errors.TimeoutError):
        link.call(m.DeleteTopic("t"), SENT_BY_THEN_S, repeatable=False)
    link.call(m.ListTopics(), LONG_S)
    assert len(thread.broker.of(m.DeleteTopic)) == 1
    link.close()


def test_other_broker_is_gone_to(thread: BrokerThread) -> None:
    with BrokerThread() as other:
        link, shared = thread.link()
        listener = Listener(link, shared)
        address = f"127.0.0.1:{other.broker.port}"
        thread.react(m.ListTopics, m.Failure(wire.NOT_HERE.code, "", address=address))
        assert link.call(m.ListTopics(), LONG_S) == m.Names([])
        assert len(other.received(m.ListTopics)) == 1
        listener.sees("down", "up")
        link.close()


def test_silence_ends_in_a_timeout(thread: BrokerThread) -> None:
    link, _ = thread.link()
    thread.react(m.ListTopics, Reaction.IGNORE)
    with pytest.raises(errors.TimeoutError, match=r"no answer within 0\.05 s"):
        link.call(m.ListTopics(), TOO_LITTLE_S)
    link.close()


def test_heartbeats_are_answered_while_the_application_computes(thread: BrokerThread) -> None:
    """The main thread does nothing here; nobody waits for the link."""
    thread.call(lambda: setattr(thread.broker, "welcome", quick_heartbeat(thread)))
    link, _ = thread.link()
    thread.push(m.Ping())
    thread.received(m.Pong)
    thread.received(m.Ping, 3)
    link.close()


def quick_heartbeat(thread: BrokerThread) -> m.Welcome:
    return thread.broker.welcome._replace(heartbeat_ms=20)


def test_silent_broker_is_given_up(thread: BrokerThread) -> None:
    thread.call(lambda: setattr(thread.broker, "welcome", quick_heartbeat(thread)))
    link, shared = thread.link()
    listener = Listener(link, shared)
    thread.react(m.Ping, *[Reaction.IGNORE] * 3)
    listener.sees("down", "up")
    link.close()


def test_closing_says_goodbye_and_ends_the_thread(thread: BrokerThread) -> None:
    link, _ = thread.link()
    thread.react(m.ListTopics, Reaction.IGNORE)
    waiting = in_thread(link.call, m.ListTopics(), LONG_S)
    thread.received(m.ListTopics)
    link.close()
    with pytest.raises(Closed):
        outcome(waiting)
    thread.received(m.Bye)
    assert link._thread is not None
    link._thread.join(LONG_S)
    assert not link._thread.is_alive()
    with pytest.raises(Closed):
        link.call(m.ListTopics(), LONG_S)
    link.close()


def test_closing_while_there_is_no_broker_does_not_wait() -> None:
    with BrokerThread() as thread:
        link, shared = thread.link()
        listener = Listener(link, shared)
    listener.sees("down")
    link.close()
    assert link._thread is not None
    link._thread.join(LONG_S)


def test_fault_of_ours_is_told_instead_of_hanging(
    thread: BrokerThread, caplog: pytest.LogCaptureFixture
) -> None:
    link, shared = thread.link()
    told = threading.Event()
    shared.on_interrupt = lambda error: told.set()

    def fail() -> None:
        raise ZeroDivisionError

    with shared.lock, shared.turn:
        shared.call_later(0.0, fail)
    assert told.wait(LONG_S)
    assert link._thread is not None
    link._thread.join(LONG_S)
    assert "the reader's thread failed" in caplog.text
