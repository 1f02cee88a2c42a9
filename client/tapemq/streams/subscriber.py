"""Keeps a stream's subscriptions alive, and tells the intake what is pushed to them."""

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Any

from tapemq.errors import Error, from_failure
from tapemq.network.connection import Connection
from tapemq.network.link import Link
from tapemq.network.reader import ignore
from tapemq.network.subscriptions import Subscriptions
from tapemq.streams.assignment import Assignment
from tapemq.streams.intake import Intake
from tapemq.streams.plan import StreamOptions, plan_subscriptions
from tapemq.streams.reader import StreamReader
from tapemq.streams.start import WireStart
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")

_LOOK_S = 5.0
"""How long records in a new partition may wait for a reader without a group."""


class Subscriber(StreamReader[Connection], Subscriptions):
    """One stream's subscriptions on whichever connection there is."""

    def __init__(self, link: Link, options: StreamOptions) -> None:
        super().__init__(link, options.topic, options.timeout_s, "stream")
        self.options = options
        self.intake = Intake(options.topic)
        self.on_revoke: Callable[[Assignment], None] = ignore  # without a group nobody asks
        self._looking: asyncio.Task[None] | None = None
        self._partitions_at_start = 0
        self._seeking = asyncio.Lock()  # one at a time

    async def open(self) -> None:
        await super().open()
        if not self.options.group and not self.options.partitions:
            self._looking = asyncio.create_task(self._look_for_partitions())

    async def subscribe(self) -> Connection:
        assert self._topic is not None
        self._partitions_at_start = self._topic.partitions
        return await super().subscribe()

    def fail(self, error: Error) -> None:
        super().fail(error)
        if self._looking is not None:
            self._looking.cancel()

    async def seek(self, partitions: Collection[int], start: WireStart) -> None:
        """Without a group: read partitions on from elsewhere, or, if this raises, as before."""
        async with self._seeking:
            seek = self._begin_seek(partitions, start)
            try:
                await self.wait_for(lambda: seek.is_over)
            finally:
                self._call_off(seek)
        if seek.refusal is not None:
            raise seek.refusal

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
            self._assigned(message)
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
        if not message.generation:
            self._ended(error)
            return
        assignment = self.intake.assignments.get(message.partition)
        if assignment is not None and assignment.generation == message.generation:
            self.fail(error)  # who reads gets it raised, and needs no second word in the log

    def send_grants(self) -> None:
        """Let the broker send as much more as was taken."""
        connection = self._link.connection
        grants = self.intake.grants
        while grants:
            grant = grants.popleft()
            if connection is not None and connection.is_open:
                connection.push(grant)
