"""Keeps a reader's subscriptions alive: subscribes, and again after each loss.

A reader that cannot get an answer says so in the log and asks again; one that cannot go on fails.
"""

import asyncio
import builtins
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tapemq.errors import (
    Closed,
    ConnectionLost,
    Error,
    IndeterminateError,
    NotHere,
    Overloaded,
    TopicNotFound,
)
from tapemq.network.connection import Connection
from tapemq.network.link import Link
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")

_RETRY_S = 0.5
_LEAVE_S = 2.0


class Subscriptions(ABC):
    """What one reader of a topic has subscribed to, on whichever connection there is.

    ``reader``: what it is, for people ("stream", "queue").
    """

    def __init__(self, link: Link, topic: str, timeout_s: float, reader: str) -> None:
        self.failure: Error | None = Closed(f"the {reader} is not open: use it with `async with`")
        self.changed = asyncio.Event()
        self._link = link
        self._name = topic
        self._timeout_s = timeout_s
        self._reader = reader
        self._loop = asyncio.get_running_loop()
        self._topic: m.Topic | None = None
        self._subscriptions: list[int] = []
        self._subscribing: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()  # between following the link and subscribing elsewhere

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

    async def open(self) -> None:
        """Find the topic, creating it if that is allowed, and subscribe. Raises Error."""
        request = m.DescribeTopic(self._name, create=True)
        self._topic = await self._link.call(request, self._timeout_s)
        self.failure = None
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self.subscribe()
                while not connection.is_open:
                    connection = await self.subscribe()
                self._link.listen(self)
        except builtins.TimeoutError:
            self.close()
            reason = f"no subscription to {self._name} within {self._timeout_s:g} s"
            raise ConnectionLost(reason) from None
        except BaseException:
            self.close()
            raise

    async def subscribe(self) -> Connection:
        """Make all subscriptions, as positions and options are now, instead of those there are."""
        while True:
            connection = await self._link.connected()
            try:
                await self._subscribe(connection)
            except ConnectionLost:
                continue
            except Error as error:
                if not error.retryable:
                    raise
                await self._heed(error)
            else:
                return connection

    async def _heed(self, error: Error) -> None:
        """Do what a refusal asks for before the next attempt."""
        log.warning("cannot read %s yet: %s", self._name, error)
        if isinstance(error, NotHere):
            self._link.move(error.address)
        await asyncio.sleep(error.retry_after if isinstance(error, Overloaded) else _RETRY_S)

    def close(self) -> None:
        """Stop listening; nothing more is handed out."""
        self.fail(Closed(f"the {self._reader} is closed"))

    async def leave(self) -> None:
        """Unsubscribe, if there is a connection and that does not take long."""
        connection = self._link.connection
        if connection is None or not connection.is_open:
            return
        numbers = list(self._subscriptions)
        self._subscriptions.clear()
        with suppress(Error, builtins.TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                for number in numbers:
                    await connection.request(m.Unsubscribe(number))

    def fail(self, error: Error) -> None:
        """Let whoever iterates, now or later, get ``error``."""
        if self.failure is None:
            self.failure = error
        self._link.unlisten(self)
        connection = self._link.connection
        if connection is not None and connection.is_open:
            self._drop_subscriptions(connection)
        if self._subscribing is not None:
            self._subscribing.cancel()
            self._subscribing = None
        self.changed.set()

    # Following the link

    def link_down(self, reason: Error) -> None:
        """What is buffered will come again, or belongs to another member now."""
        self._subscriptions.clear()
        self._cut_off()

    def link_up(self, connection: Connection) -> None:
        """Subscribe again."""
        if self._subscribing is not None:
            self._subscribing.cancel()
        self._subscribing = asyncio.create_task(self._subscribe_again(connection))

    async def _subscribe_again(self, connection: Connection) -> None:
        while connection.is_open:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._check_topic(connection)
                    await self._subscribe(connection)
                log.info("reading %s again", self._name)
                return
            except ConnectionLost:
                return  # link_up comes again
            except (builtins.TimeoutError, IndeterminateError):
                log.warning("no answer: cannot read %s; asking again", self._name)
            except Error as error:
                if not error.retryable:
                    log.error("cannot read %s any more: %s", self._name, error)
                    self._subscribing = None
                    self.fail(error)
                    return
                await self._heed(error)

    async def _check_topic(self, connection: Connection) -> None:
        topic = await connection.request(m.DescribeTopic(self._name))
        if topic.topic_id != self.topic_id:
            raise TopicNotFound(f"{topic.topic} was deleted, and another one created in its place")
        self._topic = topic

    async def _subscribe(self, connection: Connection) -> None:
        async with self._turn:
            self._drop_subscriptions(connection)
            self._cut_off()
            await self._make(connection, self._plan())

    async def _make(self, connection: Connection, plan: Sequence[Any]) -> None:
        for request in plan:
            number = connection.open_subscription(self._pushed)
            self._subscriptions.append(number)
            self._subscribed(number, request)
            await connection.request(request._replace(subscription=number))

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

    async def change(self) -> None:
        """Wait until something was pushed, or has failed. Look first, then wait."""
        self.changed.clear()
        await self.changed.wait()


def ignore(answer: object) -> None:
    """For requests whose answer changes nothing."""
