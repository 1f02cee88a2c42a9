"""Publishing at a high rate."""

import asyncio
import builtins
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from tapemq.batch.extras import Scalar
from tapemq.errors import Closed, Error, again
from tapemq.network.link import Link
from tapemq.publishing.item import RECORD_COST_BYTES, Value, make_item
from tapemq.publishing.lane import Lane
from tapemq.publishing.open_batch import OpenBatch
from tapemq.publishing.publisher import Publisher
from tapemq.queues.verdict import Duration
from tapemq.wire.partitions import check_partition

log = logging.getLogger("tapemq.client")

_SEALED = OpenBatch(0, 0, 0.0, 0.0)
"""Never has room: the next record takes the long way."""


class Producer:
    """Publishes records in batches; made by ``Client.producer()``, used with ``async with``.

    Records of one producer to one partition keep the order of the calls. Leaving the block waits
    until all of them are confirmed; leaving it by a cancellation gives them up.
    """

    def __init__(self, link: Link, publisher: Publisher, level: int, timeout_s: float) -> None:
        self._link = link
        self._publisher = publisher
        self._level = level
        self._timeout_s = timeout_s
        self._open = _SEALED
        self._opened = False
        self._told: Error | None = None
        self._watch: asyncio.TimerHandle | None = None

    # By position, as keyword-only options would cost 0.09 µs a call: Python 3.11 looks for their
    # defaults in a dict (ADR 10). The first refuses a value, for who writes send(topic, value) as
    # for publish(). A function that returns a ready awaitable is no faster than a coroutine.
    async def send(
        self,
        value: Value,
        headers: Mapping[str, Scalar] | None = None,
        key: bytes | str | None = None,
        partition: int | None = None,
        ttl: Duration | None = None,
        priority: int = 0,
    ) -> None:
        """Hand over one record. Returns when it is in a batch; waits while too much is in flight.

        A call that is cancelled or interrupted while it waits has handed its record over: made
        again, it would send it twice.

        Args:
            value: bytes, str (sent as UTF-8) or None (a tombstone).
            key: records with the same key go to the same partition.
            headers: at most 64; text to bytes, str, int (64 bits) or bool.
            partition: a number, from 0; by default the key's, or each batch another one.
            ttl, priority: see Client.publish().

        Raises:
            ValueError, TypeError: an argument is out of its range, or of another type; nothing
                was taken.
            PayloadTooLarge: the record is over the broker's limit; nothing was taken.
            PartitionNotFound: there is no such partition; nothing was taken.
            Error: an earlier record failed, and the producer has: records that were not
                confirmed may be in the log or not. Go on with a new producer.
        """
        if (
            key is None
            and headers is None
            and partition is None
            and ttl is None
            and not priority
            and type(value) is bytes
        ):
            batch = self._open
            room = batch.room - len(value) - RECORD_COST_BYTES
            if room > 0:
                batch.room = room
                batch.values.append(value)
                return
        await self._send(value, key, headers, partition, ttl, priority)

    async def send_many(self, values: Sequence[Value]) -> None:
        """Hand over records that have only a value: as ``send(value)`` for each, in order.

        It costs less for each record. After an error the records before the one that failed are
        taken. Raises as send().
        """
        taken = 0
        while taken < len(values):
            rest = values[taken:] if taken else values
            count = self._open.extend(rest)
            if not count:
                await self._send(rest[0], None, None, None)
            taken += count or 1

    async def _send(
        self,
        value: Value,
        key: bytes | str | None,
        headers: Mapping[str, Scalar] | None,
        partition: int | None,
        ttl: Duration | None = None,
        priority: int = 0,
    ) -> None:
        self._check()
        publisher = self._publisher
        partition = check_partition(partition)
        item = make_item(value, key, headers, self._link.limits, ttl, priority)
        lane = publisher.add(item, partition, self._level)
        if item.key is None and partition is None and not priority:
            self._open = lane.open or _SEALED
        if lane.full:
            await self._make_room(lane)
        elif lane.open is None or len(lane.open.values) == 1:
            await asyncio.sleep(0)  # a batch has left: receipts and heartbeats get their turn

    async def _make_room(self, lane: Lane) -> None:
        while lane.full:
            await self._publisher.progress()
            self._check()

    async def flush(self) -> None:
        """Wait until every record that was handed over is confirmed. Raises Error, as send().

        What is handed over meanwhile is not waited for.
        """
        self._check()
        is_done = self._publisher.hurry()
        while not is_done():
            await self._publisher.progress()
            self._check()

    async def drain(self, timeout: float) -> bool:
        """Wait until what was handed over is confirmed or has failed, for at most ``timeout`` s.

        Whether that is so. Closing the client does it; who sends is told of a failure.
        """
        is_done = self._publisher.hurry()
        with suppress(builtins.TimeoutError):
            async with asyncio.timeout(timeout):
                while self._publisher.failure is None and not is_done():
                    await self._publisher.progress()
        return self._publisher.failure is not None or is_done()

    async def _finish(self) -> None:
        """Wait until nothing is unconfirmed."""
        self._check()
        while not self._publisher.idle:
            await self.flush()

    def _check(self) -> None:
        if not self._opened:
            raise Closed("the producer is not open: use it with `async with`")
        if self._publisher.failure is not None:
            self._told = self._publisher.failure
            raise again(self._told)

    async def __aenter__(self) -> Self:
        await self._publisher.open()
        self._opened = True
        self._watch_deadline()
        return self

    def _watch_deadline(self) -> None:
        """Fail when a record waits longer than it may."""
        loop = asyncio.get_running_loop()
        now, oldest_at = loop.time(), self._publisher.oldest_at()
        due = (now if oldest_at is None else oldest_at) + self._timeout_s
        if due <= now:
            reason = f"a record was not confirmed within {self._timeout_s:g} s"
            self._publisher.fail(self._publisher.expired(reason))
        else:
            self._watch = loop.call_at(due, self._watch_deadline)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                if self._publisher.failure is None or self._told is None:
                    await self._finish()
            elif isinstance(error, Exception):
                await self._flush_quietly()
        finally:
            self.close(Closed("the producer was closed"))

    async def _flush_quietly(self) -> None:
        """The block's own exception is the one to be raised."""
        told = self._told
        try:
            await self._finish()
        except Error as error:
            if error is not told:
                log.error("%s: records were lost: %s", self._publisher.topic, error)

    def close(self, error: Error) -> None:
        """Give up what is unconfirmed, with ``error`` for whoever still sends."""
        if self._watch is not None:
            self._watch.cancel()
        if self._publisher.failure is None and self._publisher.idle:
            self._told = error  # nobody has lost anything by it
        self._publisher.fail(error)
        self._open = _SEALED
