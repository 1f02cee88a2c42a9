"""The client: what ``tapemq.connect()`` returns."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Final, NamedTuple, Self, Unpack, overload
from weakref import WeakSet

from tapemq._clock import Clock
from tapemq.batch.extras import Scalar
from tapemq.errors import Closed
from tapemq.network.link import Link
from tapemq.publishing.choices import (
    BATCH_BYTES,
    IN_FLIGHT,
    Compression,
    producer_lanes,
    publish_lanes,
)
from tapemq.publishing.confirmed import ConfirmedPublisher
from tapemq.publishing.item import Value, make_item
from tapemq.publishing.producer import Producer
from tapemq.publishing.publisher import Publisher
from tapemq.publishing.publishers import Publishers
from tapemq.publishing.receipt import LEVELS, Durability, Receipt, check_durability
from tapemq.queues.admin import QueueAdmin
from tapemq.queues.lease_watch import LeaseWatch
from tapemq.queues.options import queue_options
from tapemq.queues.queue import Queue
from tapemq.queues.settings import QueueSettings
from tapemq.schedules.due import Duration
from tapemq.schedules.plan import plan_of
from tapemq.schedules.receipt import ScheduleReceipt
from tapemq.schedules.scheduling import Scheduling
from tapemq.streams.choices import stream_options
from tapemq.streams.start import Start
from tapemq.streams.stream import Stream
from tapemq.streams.subscriber import Subscriber
from tapemq.timeouts import check_positive_timeout, check_timeout
from tapemq.wire.names import check_name

log = logging.getLogger("tapemq.client")

_DRAIN_S: Final = 10.0


class Defaults(NamedTuple):
    """What a client passes on to what it makes.

    ``watched``: a thread may keep the leases of an event loop that is blocked.
    """

    name: str
    timeout_s: float
    watched: bool = False


class Client(QueueAdmin, Scheduling):
    """A connection to a broker that is made again when it is lost; see ``tapemq.connect()``.

    It belongs to the event loop in which it was made; in another one its calls raise RuntimeError.
    """

    def __init__(self, link: Link, clock: Clock, defaults: Defaults) -> None:
        super().__init__(link, clock, defaults.timeout_s)
        self.name = defaults.name
        self._watched = defaults.watched
        self._watch: LeaseWatch | None = None
        self._publishers = Publishers(self._make_publisher)
        self._producers: WeakSet[Producer] = WeakSet()
        self._readers: WeakSet[Stream | Queue] = WeakSet()

    # Publishing

    @overload
    async def publish(
        self,
        topic: str,
        value: Value,
        *,
        key: bytes | str | None = ...,
        headers: Mapping[str, Scalar] | None = ...,
        partition: int | None = ...,
        durability: Durability = ...,
        ttl: Duration | None = ...,
        priority: int = ...,
        timeout: float | None = ...,
    ) -> Receipt: ...

    @overload
    async def publish(
        self,
        topic: str,
        value: Value,
        *,
        key: bytes | str | None = ...,
        headers: Mapping[str, Scalar] | None = ...,
        partition: int | None = ...,
        ttl: Duration | None = ...,
        priority: int = ...,
        timeout: float | None = ...,
        delay: Duration | None = ...,
        at: datetime | None = ...,
        schedule_key: bytes | str | None = ...,
    ) -> ScheduleReceipt: ...

    async def publish(
        self,
        topic: str,
        value: Value,
        *,
        key: bytes | str | None = None,
        headers: Mapping[str, Scalar] | None = None,
        partition: int | None = None,
        ttl: Duration | None = None,
        priority: int = 0,
        durability: Durability = "durable",
        timeout: float | None = None,
        delay: Duration | None = None,
        at: datetime | None = None,
        schedule_key: bytes | str | None = None,
    ) -> Receipt | ScheduleReceipt:
        """Publish one record; it is in the log when this returns.

        Concurrent calls keep their order and share batches. A lost connection duplicates nothing.

        Args:
            topic: created on first use, if the broker is set so.
            value: bytes, str (sent as UTF-8) or None (a tombstone).
            key: records with the same key go to the same partition.
            headers: at most 64; text to bytes, str, int (64 bits) or bool.
            partition: a number, from 0; by default the key's, or one after the other.
            ttl: seconds or a timedelta after its append; from then on queues hand the record out no
                more (streams still read it). None: the topic's setting ``ttl_s``, if any.
            priority: 0, the lowest, to 9, for topics with ``priorities``, where queues do the
                highest first; a ``partition`` has its own.
            durability: when to return: it is on disk ("durable"), or the system has it ("written").
            timeout: seconds; by default the client's.
            delay, at: on disk at once, it comes into the topic after seconds (or a timedelta), or
                at a datetime. See schedule() for ``schedule_key``.

        Raises:
            ValueError, TypeError, PayloadTooLarge: an argument, or the record, cannot be so.
            TopicNotFound, PartitionNotFound: there is none, and it may not be created.
            TimeoutError: the time passed; the record was not sent and will not be.
            IndeterminateError: it may be in the log, or come into it.
        """
        self._link.check()
        level = LEVELS[check_durability(durability)]
        item = make_item(value, key, headers, self._link.limits, ttl, priority)
        plan = plan_of(delay, at, schedule_key)
        if plan is not None:
            return await self._schedule(topic, item, partition, plan, timeout)
        timeout = self._timeout_s if timeout is None else check_timeout("timeout", timeout)
        return await self._publishers.of(topic).publish(item, partition, level, timeout)

    def _make_publisher(self, topic: str) -> ConfirmedPublisher:
        check_name("topic", topic)
        options = publish_lanes(self._link.limits)
        return ConfirmedPublisher(self._link, self._clock, topic, options, self._timeout_s)

    def producer(
        self,
        topic: str,
        *,
        linger: float = 0.0,
        batch_bytes: int = BATCH_BYTES,
        compression: Compression | None = None,
        durability: Durability = "durable",
        max_in_flight: int = IN_FLIGHT,
        timeout: float = 60.0,
    ) -> Producer:
        """A producer for many records: ``async with client.producer("orders") as producer``.

        Args:
            topic: created on first use, if the broker is set so.
            linger: seconds that a record may wait for others. With 0 a batch leaves as soon as
                none of its partition is in flight, so that batches grow with the load.
            batch_bytes: a batch leaves when it has this size; 1 KiB to 1 MiB.
            compression: of each batch: "zlib", or "zstd" (needs ``tapemq[zstd]``).
            durability: what a record must have reached to count as confirmed: see publish().
            max_in_flight: batches per partition that may await their receipts, 1 to 32.
            timeout: seconds that a record may wait for its receipt; then the producer fails.

        Raises:
            ValueError: an argument is out of its range, or the compression is not installed.
        """
        patience_s = check_positive_timeout("timeout", timeout)
        options = producer_lanes(
            self._link.limits,
            linger=linger,
            batch_bytes=batch_bytes,
            compression=compression,
            max_in_flight=max_in_flight,
        )
        check_name("topic", topic)
        publisher = Publisher(self._link, self._clock, topic, options, self._timeout_s)
        level = LEVELS[check_durability(durability)]
        producer = Producer(self._link, publisher, level, patience_s)
        self._producers.add(producer)
        return producer

    # Reading

    def stream(
        self,
        topic: str,
        *,
        group: str | None = None,
        start: Start = "latest",
        partitions: Sequence[int] | None = None,
        prefetch_records: int = 100_000,
        prefetch_bytes: int = 4 * 1024 * 1024,
        hold: bool = False,
        commit_interval: float | None = 1.0,
    ) -> Stream:
        """Read a topic: ``async with client.stream("orders", group="audit") as stream``.

        Args:
            topic: created on first use, if the broker is set so.
            group: members of a group share the partitions and go on where the group is. Without
                a group the stream reads all partitions, on its own.
            start: where to begin if the group has no position yet: "earliest", "latest", an
                offset, or a datetime (the first record appended then; UTC without a time zone).
            partitions: read these only, at most 64 numbers; by default all.
            prefetch_records, prefetch_bytes: how much the broker may send ahead of the
                application; it may be over by one batch.
            hold: retention keeps what the group has not read.
            commit_interval: seconds between commits of what is handled; None: only commit() does.

        Raises:
            ValueError: an argument is out of its range.
        """
        options = stream_options(
            topic,
            group=group,
            member=f"{self.name[:100]}-{self._clock.token()}",
            start=start,
            partitions=partitions,
            prefetch_records=prefetch_records,
            prefetch_bytes=prefetch_bytes,
            hold=hold,
            commit_interval=commit_interval,
            timeout_s=self._timeout_s,
        )
        stream = Stream(self._link, Subscriber(self._link, options))
        self._readers.add(stream)
        return stream

    def queue(
        self,
        topic: str,
        *,
        group: str,
        prefetch: int = 100,
        prefetch_bytes: int = 4 * 1024 * 1024,
        start: Start = "earliest",
        consumer: str | None = None,
        **settings: Unpack[QueueSettings],
    ) -> Queue:
        """Work on a topic: ``async with client.queue("orders", group="billing") as queue``.

        Each record goes to one consumer of the group and is settled on its own.

        Args:
            topic: created on first use, if the broker is set so.
            group: consumers of a group share its records; created on first use.
            prefetch, prefetch_bytes: how much this consumer may hold at a time.
            start: where a new group begins: see stream().
            consumer: a name of this one, for people.
            settings: of a new group: see QueueSettings; alter_queue() changes them later.

        Raises:
            ValueError: an argument is out of its range.
        """
        options = queue_options(
            topic,
            group=group,
            consumer=consumer or f"{self.name[:100]}-{self._clock.token()}",
            start=start,
            prefetch=prefetch,
            prefetch_bytes=prefetch_bytes,
            timeout_s=self._timeout_s,
            **settings,
        )
        queue = Queue(self._link, options, self._hold_leases)
        self._readers.add(queue)
        return queue

    def _hold_leases(self, lease_s: float) -> None:
        if self._watched:
            if self._watch is None:
                self._watch = LeaseWatch(self._link)
            self._watch.hold(lease_s)

    # Entering and leaving

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self, *, timeout: float = _DRAIN_S) -> None:
        """Wait until all that was published, or scheduled, is confirmed, for at most ``timeout`` s;
        then disconnect.

        What is not confirmed by then fails with IndeterminateError or Closed where it is awaited.
        """
        if self._link.closed:
            return
        self._link.check()
        drain_s = check_timeout("timeout", timeout)
        try:
            some = (*self._producers, *self._publishers, self._underway)
            # It fails before there is anything to await, where this is collected with its loop.
            async with asyncio.TaskGroup() as group:
                drains = [group.create_task(one.drain(drain_s)) for one in some]
            if not all(drain.result() for drain in drains):
                log.warning("closing with unconfirmed publishes")
        finally:
            closed = Closed("the client was closed")
            for publisher in self._publishers:
                publisher.close(closed)
            for producer in self._producers:
                producer.close(closed)
            for reader in self._readers:
                reader.fail(closed)
            if self._watch is not None:
                self._watch.close()
            await self._link.close()
