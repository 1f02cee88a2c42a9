"""Offsets by time: what only the disk knows is looked up, in a thread, before the command."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tapemq_broker.core.effects import Request
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.refusal import Refusal, Refused
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.unanswered import LARGE

log = logging.getLogger("tapemq.broker")

LOOKUPS_MAX: Final = 64
"""How many one connection may have under way; what waits for a thread takes memory."""

Then = Callable[[Mapping[int, int]], None]
"""Goes on with the offset of each partition."""


class TimeLookups:
    """Finds the first visible offset at a time or later, or the end."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def is_needed(self, start: str, topic_id: int, group: str) -> bool:
        """Whether a start has to be looked up: one by time, but not that of a group that there is.

        Such a group goes on where it is, whatever may be wrong with records far behind it.
        """
        topic = self._engine.core.topics.by_id.get(topic_id)
        goes_on = topic is not None and (group in topic.groups or group in topic.queue_groups)
        return start == "time" and not goes_on

    def begin(
        self,
        connection: Connection,
        request: Request,
        topic_id: int,
        numbers: Sequence[int],
        time_us: int,
        then: Then,
        subscription: int | None = None,
    ) -> None:
        """Look partitions up (no ``numbers``: all that are usable), then go on.

        What goes wrong answers the request. For a ``subscription`` that is ended meanwhile it does
        not go on: see call_off().
        """
        try:
            partitions = self._partitions(topic_id, numbers)
            if connection.lookups >= LOOKUPS_MAX:
                text = f"this connection has {LOOKUPS_MAX} look-ups by time under way"
                raise Refused("overloaded", text, 1.0)
            if subscription in connection.coming:
                raise Refused("bad_request", f"subscription {subscription} exists already")
        except Refused as refused:
            self._engine.reply(request, refused.refusal)
            return
        connection.lookups += 1
        if subscription is not None:
            connection.coming[subscription] = request
        self._engine.spawn(
            self._go_on(connection, request, partitions, time_us, then, subscription)
        )

    def call_off(self, connection: Connection, subscription: int) -> bool:
        """Let a subscription not begin whose start is being looked up; False if there is none."""
        request = connection.coming.pop(subscription, None)
        if request is None:
            return False
        text = f"subscription {subscription} was ended before its start was looked up"
        self._engine.reply(request, Refusal("unknown_subscription", text))
        return True

    def _partitions(self, topic_id: int, numbers: Sequence[int]) -> list[Partition]:
        topic = self._engine.core.topics.get(topic_id)
        if not numbers:
            return topic.usable_partitions()
        partitions = [topic.partition(number) for number in numbers]
        for partition in partitions:
            partition.check_usable()
        return partitions

    async def _go_on(
        self,
        connection: Connection,
        request: Request,
        partitions: Sequence[Partition],
        time_us: int,
        then: Then,
        subscription: int | None,
    ) -> None:
        offsets: Mapping[int, int] | None = None
        try:
            with self._engine.unanswered.counting(request.session, LARGE):
                offsets = {p.number: await self._find(p, time_us) for p in partitions}
        except Exception as error:  # damage, or a log removed meanwhile: this request's only
            failure = self._failure(partitions[0].log.topic_id, error)
        finally:
            connection.lookups -= 1
        if subscription is not None and not connection.has_come(subscription, request):
            return  # answered already
        if offsets is None:
            self._engine.reply(request, failure)
        else:
            then(offsets)

    def _failure(self, topic_id: int, error: Exception) -> Refusal:
        try:
            self._engine.core.topics.get(topic_id)
        except Refused as refused:
            return refused.refusal  # its files went with it, and nothing is wrong with the disk
        passing = self._engine.shortage.not_read(error)
        if passing is not None:
            return passing
        log.warning("a look-up by time failed: %s", error)
        return Refusal("storage_failed", str(error))

    async def _find(self, partition: Partition, time_us: int) -> int:
        data = self._engine.logs.data(partition.log)
        offset = await asyncio.to_thread(data.offset_at, time_us)
        return min(offset, data.durable_offset)
