"""Keeps a stream's subscriptions alive: subscribes, again after each loss, and tells the intake.

A stream that cannot get an answer says so in the log and asks again; one that cannot go on fails.
"""

import asyncio
import builtins
import logging
from collections.abc import Callable
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
    from_failure,
)
from tapemq.network.connection import Connection
from tapemq.network.link import Link
from tapemq.streams.assignment import Assignment
from tapemq.streams.credit import Grant
from tapemq.streams.intake import Intake
from tapemq.streams.plan import StreamOptions, plan_subscriptions
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")

_RETRY_S = 0.5
_LEAVE_S = 2.0
_LOOK_S = 5.0
"""How long records in a new partition may wait for a reader without a group."""


class Subscriber:
    """One stream's subscriptions on whichever connection there is."""

    def __init__(self, link: Link, options: StreamOptions) -> None:
        self.options = options
        self.intake = Intake(options.topic)
        self.failure: Error | None = Closed("the stream is not open: use it with `async with`")
        self.changed = asyncio.Event()
        self.on_revoke: Callable[[Assignment], None] = _ignore  # without a group nobody asks
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._topic: m.Topic | None = None
        self._subscriptions: list[int] = []
        self._subscribing: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._partitions_at_start = 0
        self._turn = asyncio.Lock()  # between following the link and seeking

    @property
    def topic_id(self) -> int:
        """The id of the topic that is being read."""
        assert self._topic is not None
        return self._topic.topic_id

    # Opening and closing

    async def open(self) -> None:
        """Find the topic, creating it if that is allowed, and subscribe. Raises Error."""
        request = m.DescribeTopic(self.options.topic, create=True)
        self._topic = await self._link.call(request, self.options.timeout_s)
        self.failure = None
        try:
            async with asyncio.timeout(self.options.timeout_s):
                connection = await self.subscribe()
                while not connection.is_open:
                    connection = await self.subscribe()
                self._link.listen(self)
            if not self.options.group and not self.options.partitions:
                self._looking = asyncio.create_task(self._look_for_partitions())
        except builtins.TimeoutError:
            self.close()
            reason = f"no subscription to {self.options.topic} within {self.options.timeout_s:g} s"
            raise ConnectionLost(reason) from None
        except BaseException:
            self.close()
            raise

    async def subscribe(self) -> Connection:
        """Make all subscriptions, as positions and options are now, instead of those there are."""
        assert self._topic is not None
        self._partitions_at_start = self._topic.partitions
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
        log.warning("cannot read %s yet: %s", self.options.topic, error)
        if isinstance(error, NotHere):
            self._link.move(error.address)
        await asyncio.sleep(error.retry_after if isinstance(error, Overloaded) else _RETRY_S)

    def close(self) -> None:
        """Stop listening; nothing more is handed out."""
        self.fail(Closed("the stream is closed"))

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
        if self._looking is not None:
            self._looking.cancel()
        self.changed.set()

    # Following the link

    def link_down(self, reason: Error) -> None:
        """What is buffered will come again, or belongs to another member now."""
        self._subscriptions.clear()
        self.intake.cut_off()

    def link_up(self, connection: Connection) -> None:
        """Subscribe again."""
        if self._subscribing is not None:
            self._subscribing.cancel()
        self._subscribing = asyncio.create_task(self._subscribe_again(connection))

    async def _subscribe_again(self, connection: Connection) -> None:
        options = self.options
        while connection.is_open:
            try:
                async with asyncio.timeout(options.timeout_s):
                    await self._check_topic(connection)
                    await self._subscribe(connection)
                log.info("reading %s again", options.topic)
                return
            except ConnectionLost:
                return  # link_up comes again
            except (builtins.TimeoutError, IndeterminateError):
                log.warning("no answer: cannot read %s; asking again", options.topic)
            except Error as error:
                if not error.retryable:
                    log.error("cannot read %s any more: %s", options.topic, error)
                    self._subscribing = None
                    self.fail(error)
                    return
                await self._heed(error)

    async def _check_topic(self, connection: Connection) -> None:
        topic = await connection.request(m.DescribeTopic(self.options.topic))
        if topic.topic_id != self.topic_id:
            raise TopicNotFound(f"{topic.topic} was deleted, and another one created in its place")
        self._topic = topic

    async def _subscribe(self, connection: Connection) -> None:
        assert self._topic is not None
        async with self._turn:
            self._drop_subscriptions(connection)
            self.intake.cut_off()
            positions = {p: a.position for p, a in self.intake.assignments.items()}
            at_start = self._partitions_at_start
            plan = plan_subscriptions(self.options, self._topic, positions, at_start)
            await self._make(connection, plan)

    async def _make(self, connection: Connection, plan: list[m.Subscribe]) -> None:
        for request in plan:
            number = connection.open_subscription(self._pushed)
            self._subscriptions.append(number)
            self.intake.subscribed(number, Grant(request.credit_records, request.credit_bytes))
            await connection.request(request._replace(subscription=number))

    def _drop_subscriptions(self, connection: Connection) -> None:
        """Forget subscriptions that are to be made anew; what they still push is dropped."""
        for number in self._subscriptions:
            connection.close_subscription(number)
            connection.send(m.Unsubscribe(number), _ignore)
        self._subscriptions.clear()

    # New partitions, of which only groups are told

    async def _look_for_partitions(self) -> None:
        options = self.options
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                topic = await self._link.call(m.DescribeTopic(options.topic), options.timeout_s)
                await self._read_more(topic)
            except Error as error:
                log.info("cannot look for new partitions of %s: %s", options.topic, error)

    async def _read_more(self, topic: m.Topic) -> None:
        """Read the partitions that the topic has now, and had not before, too."""
        async with self._turn:
            known, connection = self._topic, self._link.connection
            if known is None or topic.topic_id != known.topic_id or connection is None:
                return  # a deleted topic is pushed, and link_up looks by itself
            grown = tuple(range(known.partitions, topic.partitions))
            if grown:
                log.info("%s has %d new partitions", topic.topic, len(grown))
                options = self.options._replace(partitions=grown)
                at_start = self._partitions_at_start
                await self._make(connection, plan_subscriptions(options, topic, {}, at_start))
                self._topic = topic

    # Pushes

    def _pushed(self, message: Any, payload: memoryview) -> None:
        if isinstance(message, m.Deliver):
            self.intake.delivered(message, payload)
        elif isinstance(message, m.Assigned):
            log.info("reading %s/%d from %d", self.options.topic, message.partition, message.offset)
            self.intake.assigned(message)
        elif isinstance(message, m.Revoke):
            log.info("giving up %s/%d", self.options.topic, message.partition)
            self._revoked(message)
        else:
            self._detached(message)
        if self.intake.grants:
            self.send_grants()
        self.changed.set()

    def _revoked(self, message: m.Revoke) -> None:
        self.intake.revoked(message, self._loop.time())
        assignment = self.intake.assignments.get(message.partition)
        if assignment is not None and assignment.release_by is not None:
            self.on_revoke(assignment)

    def _detached(self, message: m.Detached) -> None:
        """The broker ended a subscription, or cannot read one partition of it.

        A stream that went on without that partition would keep quiet about what it does not
        deliver, so it ends.
        """
        error = from_failure(m.Failure(message.code, message.text))
        if message.generation:
            assignment = self.intake.assignments.get(message.partition)
            if assignment is None or assignment.generation != message.generation:
                return
        if error.retryable and not message.generation and self._link.connection is not None:
            log.warning("%s is not read any more: %s", self.options.topic, error)
            self.link_up(self._link.connection)
        else:
            self.fail(error)  # who reads gets it raised, and needs no second word in the log

    async def change(self) -> None:
        """Wait until something was pushed, or has failed. Look first, then wait."""
        self.changed.clear()
        await self.changed.wait()

    def send_grants(self) -> None:
        """Let the broker send as much more as was taken."""
        connection = self._link.connection
        grants = self.intake.grants
        while grants:
            grant = grants.popleft()
            if connection is not None and connection.is_open:
                connection.push(grant)


def _ignore(answer: object) -> None:
    """For requests whose answer changes nothing."""
