"""Keeps a stream's subscriptions alive, and tells the intake what is pushed to them."""

import logging
import threading
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final

from tapemq.errors import Error, from_failure
from tapemq.network.reader import ignore
from tapemq.streams.assignment import Assignment
from tapemq.streams.intake import Intake
from tapemq.streams.plan import StreamOptions, plan_subscriptions
from tapemq.streams.reader import StreamReader
from tapemq.streams.start import WireStart
from tapemq.sync.connection import Connection
from tapemq.sync.errand import Errand
from tapemq.sync.link import Link
from tapemq.sync.shared import Shared, Timer
from tapemq.sync.subscriptions import Subscriptions
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")

_LOOK_S: Final = 5.0
"""How long records in a new partition may wait for a reader without a group."""


class Subscriber(StreamReader[Connection], Subscriptions):
    """One stream's subscriptions on whichever connection there is."""

    def __init__(self, link: Link, shared: Shared, options: StreamOptions) -> None:
        super().__init__(link, shared, options.topic, options.timeout_s, "stream")
        self.options = options
        self.intake = Intake(options.topic)
        self.on_revoke: Callable[[Assignment], None] = ignore  # without a group nobody asks
        self._look: Timer | None = None
        self._partitions_at_start = 0
        self._seeking = threading.Lock()  # one at a time

    def open(self) -> None:
        super().open()
        if not self.options.group and not self.options.partitions:
            with self._shared.lock, self._shared.turn:
                self._look_later()

    def subscribe(self) -> None:
        assert self._topic is not None
        self._partitions_at_start = self._topic.partitions
        super().subscribe()

    def fail(self, error: Error) -> None:
        super().fail(error)
        if self._look is not None:
            self._look.cancel()

    def seek(self, partitions: Collection[int], start: WireStart) -> None:
        """Without a group: read partitions on from elsewhere, or, if this raises, as before."""
        with self._seeking:
            with self._shared.lock, self._shared.turn:
                seek = self._begin_seek(partitions, start)
            try:
                self.wait_for(lambda: seek.is_over)
            finally:
                with self._shared.lock, self._shared.turn:
                    self._call_off(seek)
        if seek.refusal is not None:
            raise seek.refusal

    # New partitions, of which only groups are told

    def _look_later(self) -> None:
        self._look = self._shared.call_later(_LOOK_S, self._look_for_partitions)

    def _look_for_partitions(self) -> None:
        connection = self._link.connection
        if connection is not None and connection.is_open and self.is_subscribed:
            request = m.DescribeTopic(self.options.topic)
            connection.send(request, partial(self._looked, connection))
        self._look_later()

    def _looked(self, connection: Connection, topic: Any) -> None:
        """Read the partitions that the topic has now, and had not before, too."""
        known = self._topic
        if isinstance(topic, Error):
            log.info("cannot look for new partitions of %s: %s", self.options.topic, topic)
            return
        if known is None or topic.topic_id != known.topic_id or not self.is_subscribed:
            return  # a deleted topic is pushed, and link_up looks by itself
        grown = tuple(range(known.partitions, topic.partitions))
        if grown and self.failure is None:
            log.info("%s has %d new partitions", topic.topic, len(grown))
            options = self.options._replace(partitions=grown)
            plan = plan_subscriptions(options, topic, {}, self._partitions_at_start)
            self._topic = topic
            self._errand = Errand(connection, self._make(connection, plan), self._done)
            self._errand.start()

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
        self.changes.happened()

    def _revoked(self, message: m.Revoke) -> None:
        self.intake.revoked(message, self._shared.time())
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
