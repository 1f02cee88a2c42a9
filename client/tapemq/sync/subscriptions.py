"""Keeps a reader's subscriptions alive without asyncio: subscribes, and again after each loss.

A reader that cannot get an answer says so in the log and asks again; one that cannot go on fails.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final

from tapemq.errors import (
    Closed,
    ConnectionLost,
    Error,
    IndeterminateError,
    NotHere,
    Overloaded,
    TopicNotFound,
)
from tapemq.sync.connection import Connection
from tapemq.sync.errand import Errand, Steps
from tapemq.sync.link import Link
from tapemq.sync.promise import Changes, Promise
from tapemq.sync.shared import Shared, Timer
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")

_RETRY_S: Final = 0.5
_LEAVE_S: Final = 2.0


class Subscriptions(ABC):
    """What one reader of a topic has subscribed to, on whichever connection there is.

    ``reader``: what it is, for people ("stream", "queue"). ``changes``: something was pushed, has
    been subscribed or has failed. ``is_subscribed``: all subscriptions are made. Used under the
    client's lock, but for open(), wait_for() and leave().
    """

    def __init__(
        self, link: Link, shared: Shared, topic: str, timeout_s: float, reader: str
    ) -> None:
        self.failure: Error | None = Closed(f"the {reader} is not open: use it with `with`")
        self.changes = Changes()
        self._link = link
        self._shared = shared
        self._name = topic
        self._timeout_s = timeout_s
        self._reader = reader
        self._topic: m.Topic | None = None
        self._subscriptions: list[int] = []
        self._errand: Errand | None = None
        self._late: Timer | None = None
        self.is_subscribed = False

    # What a reader provides

    @abstractmethod
    def _plan(self) -> Sequence[Any]:
        """The requests for all subscriptions, as things are now, with subscription 0."""

    @abstractmethod
    def _subscribed(self, number: int, request: Any) -> None:
        """A subscription is being made."""

    @abstractmethod
    def _cut_off(self) -> None:
        """The subscriptions are gone: what is buffered will come again, or belongs to others."""

    @abstractmethod
    def _pushed(self, message: Any, payload: memoryview) -> None:
        """Something was pushed to a subscription."""

    @property
    def topic_id(self) -> int:
        """The id of the topic that is being read."""
        assert self._topic is not None
        return self._topic.topic_id

    # Opening and closing

    def open(self) -> None:
        """Find the topic, creating it if that is allowed, and subscribe. Raises Error."""
        topic = self._link.call(m.DescribeTopic(self._name, create=True), self._timeout_s)
        try:
            with self._shared.lock, self._shared.turn:
                self._topic = topic
                self.failure = None
                self._link.listen(self)
                self.subscribe()
            self.wait_for(lambda: self.is_subscribed)
        except BaseException:
            with self._shared.lock, self._shared.turn:
                self.close()
            raise

    def wait_for(self, is_so: Callable[[], bool]) -> None:
        """Wait for what a push or an answer changes. Not to be called under the lock.

        Raises what the reader fails with, or ConnectionLost if it takes too long.
        """
        until = self._shared.time() + self._timeout_s
        while (change := self._change_unless(is_so)) is not None:
            if not change.wait(until - self._shared.time()):
                reason = f"no subscription to {self._name} within {self._timeout_s:g} s"
                raise ConnectionLost(reason)

    def _change_unless(self, is_so: Callable[[], bool]) -> Promise[None] | None:
        with self._shared.lock, self._shared.turn:
            if self.failure is not None:
                raise self.failure
            return None if is_so() else self.changes.next()

    def subscribe(self) -> None:
        """Make all subscriptions, as positions and options are now, instead of those there are."""
        self.is_subscribed = False
        connection = self._link.connected()
        if connection is not None:
            self._start(connection, self._steps(connection))

    def close(self) -> None:
        """Stop listening; nothing more is handed out."""
        self.fail(Closed(f"the {self._reader} is closed"))

    def leave(self) -> None:
        """Unsubscribe, if there is a connection and that does not take long."""
        left: Promise[None] = Promise()
        with self._shared.lock, self._shared.turn:
            connection = self._link.connection
            numbers = list(self._subscriptions)
            self._subscriptions.clear()
            if connection is None or not connection.is_open or not numbers:
                return
            Errand(connection, _unsubscribe(numbers), lambda error: left.resolve(None)).start()
        left.wait(_LEAVE_S)

    def fail(self, error: Error) -> None:
        """Let whoever iterates, now or later, get ``error``."""
        if self.failure is None:
            self.failure = error
        self._link.unlisten(self)
        connection = self._link.connection
        if connection is not None and connection.is_open:
            self._drop_subscriptions(connection)
        self._stop()
        self.changes.happened()

    def after_fork(self, error: Error) -> None:
        """This process is a child: the subscriptions are the parent's."""
        self.failure = error
        self._subscriptions.clear()
        self.changes = Changes()

    # Following the link

    def link_down(self, reason: Error) -> None:
        """What is buffered will come again, or belongs to another member now."""
        self._subscriptions.clear()
        self._cut_off()

    def link_up(self, connection: Connection) -> None:
        """Subscribe again."""
        self._start(connection, self._steps_again(connection))

    def _start(self, connection: Connection, steps: Steps) -> None:
        self._stop()
        self._errand = Errand(connection, steps, self._done)
        self._late = self._shared.call_later(self._timeout_s, self._is_late)
        self._errand.start()

    def _stop(self) -> None:
        if self._errand is not None:
            self._errand.stop()
        if self._late is not None:
            self._late.cancel()

    def _done(self, error: Error | None) -> None:
        if self._late is not None:
            self._late.cancel()
        if error is None:
            self.is_subscribed = True
            log.info("reading %s", self._name)
            self.changes.happened()
        elif isinstance(error, ConnectionLost):
            pass  # link_up comes
        elif error.retryable or isinstance(error, IndeterminateError):
            self._heed(error)
        else:
            self.fail(error)

    def _is_late(self) -> None:
        log.warning("no answer: cannot read %s; asking again", self._name)
        self._again()

    def _heed(self, error: Error) -> None:
        """Do what a refusal asks for before the next attempt."""
        log.warning("cannot read %s yet: %s", self._name, error)
        if isinstance(error, NotHere):
            self._link.move(error.address)
        pause_s = error.retry_after if isinstance(error, Overloaded) else _RETRY_S
        self._late = self._shared.call_later(pause_s, self._again)

    def _again(self) -> None:
        connection = self._link.connection
        if self.failure is None and connection is not None and connection.is_open:
            self.link_up(connection)

    def _steps_again(self, connection: Connection) -> Steps:
        topic = yield m.DescribeTopic(self._name)
        if topic.topic_id != self.topic_id:
            raise TopicNotFound(f"{topic.topic} was deleted, and another one created in its place")
        self._topic = topic
        yield from self._steps(connection)

    def _steps(self, connection: Connection) -> Steps:
        self._drop_subscriptions(connection)
        self._cut_off()
        yield from self._make(connection, self._plan())

    def _make(self, connection: Connection, plan: Sequence[Any]) -> Steps:
        for request in plan:
            number = connection.open_subscription(self._pushed)
            self._subscriptions.append(number)
            self._subscribed(number, request)
            yield request._replace(subscription=number)

    def _drop_subscriptions(self, connection: Connection) -> None:
        """Forget subscriptions that are to be made anew; what they still push is dropped."""
        for number in self._subscriptions:
            connection.close_subscription(number)
            connection.send(m.Unsubscribe(number), ignore)
        self._subscriptions.clear()

    def _ended(self, error: Error) -> None:
        """The broker ended a subscription."""
        if error.retryable and self._link.connection is not None:
            log.warning("%s is not read any more: %s", self._name, error)
            self.link_up(self._link.connection)
        else:
            self.fail(error)  # who reads gets it raised, and needs no second word in the log


def _unsubscribe(numbers: list[int]) -> Generator[Any, Any, None]:
    for number in numbers:
        yield m.Unsubscribe(number)


def ignore(answer: object) -> None:
    """For requests whose answer changes nothing."""
