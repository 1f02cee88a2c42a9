"""What a reader of a topic knows of its subscriptions, without I/O. Both shells build on it."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic

from tapemq.errors import Closed, ConnectionLost, Error, NotHere, Overloaded, TopicNotFound
from tapemq.network.link_state import C, LinkState
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")

LEAVE_S: Final = 2.0
"""How long unsubscribing may take."""

_RETRY_S: Final = 0.5


class Reader(ABC, Generic[C]):
    """What one reader of a topic has subscribed to, on whichever connection there is.

    ``kind``: what it is, for people ("stream", "queue"). ``failure``: what whoever iterates gets.
    """

    def __init__(
        self, link: LinkState[C], topic: str, timeout_s: float, kind: str, block: str
    ) -> None:
        self.failure: Error | None = Closed(f"the {kind} is not open: use it with `{block}`")
        self._link = link
        self._name = topic
        self._timeout_s = timeout_s
        self._kind = kind
        self._topic: m.Topic | None = None
        self._subscriptions: list[int] = []
        self._subscribed_on: C | None = None

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

    def _gives_in(self, error: Error) -> bool:
        """Whether reading goes on without what was refused for good."""
        return False

    # What a shell provides

    @abstractmethod
    def link_up(self, connection: C) -> None:
        """Subscribe again."""

    @abstractmethod
    def _stop(self) -> None:
        """Stop subscribing."""

    @abstractmethod
    def _progressed(self) -> None:
        """Something was pushed, or has failed."""

    @property
    def topic_id(self) -> int:
        """The id of the topic that is being read."""
        assert self._topic is not None
        return self._topic.topic_id

    def close(self) -> None:
        """Stop listening; nothing more is handed out."""
        self.fail(Closed(f"the {self._kind} is closed"))

    def fail(self, error: Error) -> None:
        """Let whoever iterates, now or later, get ``error``."""
        if self.failure is None:
            self.failure = error
        self._link.unlisten(self)
        connection = self._link.connection
        if connection is not None and connection.is_open:
            self._drop_subscriptions(connection)
        self._stop()
        self._progressed()

    def renew(self) -> None:
        """Make all subscriptions anew, as things are now, when there is a connection."""
        self._cut_off()
        connection = self._link.connection
        if self.failure is None and connection is not None and connection.is_open:
            self._drop_subscriptions(connection)
            self.link_up(connection)

    def link_down(self, reason: Error) -> None:
        """What is buffered will come again, or belongs to another member now."""
        self._subscriptions.clear()
        self._cut_off()

    # What the shells' subscribing is made of

    def _describe_again(self, topic: m.Topic) -> None:
        """What the topic is now. Raises TopicNotFound if it is another one by that name."""
        if topic.topic_id != self.topic_id:
            raise TopicNotFound(f"{topic.topic} was deleted, and another one created in its place")
        self._topic = topic

    def _number(self, connection: C, request: Any) -> Any:
        """The request for one more subscription, with its number."""
        number = connection.open_subscription(self._pushed)
        self._numbers(connection).append(number)
        self._subscribed(number, request)
        return request._replace(subscription=number)

    def _numbers(self, connection: C) -> list[int]:
        """Of the subscriptions on a connection.

        Each connection counts from 1 on: a number from before is another reader's there. Who is
        just opening does not follow the link, and is not told that a connection was lost.
        """
        if self._subscribed_on is not connection:
            self._subscribed_on = connection
            self._subscriptions.clear()
        return self._subscriptions

    def _drop_subscriptions(self, connection: C, then: Callable[[], object] = lambda: None) -> None:
        """Unsubscribe from all at once; what they still push is dropped.

        ``then``: to be called when all of that was answered, or the connection is lost.
        """
        numbers, self._subscriptions = self._numbers(connection), []
        unanswered = len(numbers)

        def answered(_: object) -> None:
            nonlocal unanswered
            unanswered -= 1
            if not unanswered:
                then()

        for number in numbers:
            connection.close_subscription(number)
            connection.send(m.Unsubscribe(number), answered)
        if not numbers:
            then()

    def _too_late(self) -> ConnectionLost:
        return ConnectionLost(f"no subscription to {self._name} within {self._timeout_s:g} s")

    def _heed(self, error: Error) -> float:
        """Do what a refusal asks for before the next attempt. Returns the seconds to wait."""
        log.warning("cannot read %s yet: %s", self._name, error)
        if isinstance(error, NotHere):
            self._link.move(error.address)
        return error.retry_after if isinstance(error, Overloaded) else _RETRY_S

    def _ended(self, error: Error) -> None:
        """The broker ended a subscription."""
        if error.retryable and self._link.connection is not None:
            log.warning("%s is not read any more: %s", self._name, error)
            self.link_up(self._link.connection)
        else:
            self.fail(error)  # who reads gets it raised, and needs no second word in the log


def ignore(answer: object) -> None:
    """For who need not know."""
