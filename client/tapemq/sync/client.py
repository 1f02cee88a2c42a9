"""The client without asyncio: what ``tapemq.sync.connect()`` returns."""

import logging
import os
import socket
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Final, NamedTuple, Self, Unpack, overload
from weakref import WeakSet, ref

from tapemq.batch.extras import Scalar
from tapemq.errors import Closed, Error
from tapemq.publishing.choices import BATCH_BYTES, IN_FLIGHT, Compression, producer_lanes
from tapemq.publishing.item import Item, Value, make_item
from tapemq.publishing.publishers import Publishers
from tapemq.publishing.receipt import LEVELS, Durability, Receipt, check_durability
from tapemq.queues.options import queue_options
from tapemq.queues.settings import QueueSettings
from tapemq.schedules.due import Duration
from tapemq.schedules.plan import plan_of
from tapemq.schedules.receipt import ScheduleReceipt
from tapemq.streams.choices import stream_options
from tapemq.streams.start import Start
from tapemq.sync.confirmed import ConfirmedPublisher
from tapemq.sync.link import Link
from tapemq.sync.producer import Producer
from tapemq.sync.publisher import Publisher
from tapemq.sync.queue import Queue
from tapemq.sync.queue_admin import QueueAdmin
from tapemq.sync.scheduling import Scheduling
from tapemq.sync.shared import Shared
from tapemq.sync.stream import Stream
from tapemq.sync.subscriber import Subscriber
from tapemq.sync.underway import Underway
from tapemq.timeouts import check_positive_timeout, check_timeout
from tapemq.wire import messages as m
from tapemq.wire.names import check_name

log = logging.getLogger("tapemq.client")

_DRAIN_S: Final = 10.0
_FORKED: Final = "it was opened before this process was forked: open another one here"


class Defaults(NamedTuple):
    """What a client was asked for. ``name`` None: by process."""

    name: str | None
    namespace: str
    timeout_s: float


class Client(QueueAdmin, Scheduling):
    """A connection to a broker that is made again when it is lost; see ``tapemq.sync.connect()``.

    Any number of threads may use it at the same time. In a process that was forked it makes a
    connection of its own with the first call; what was opened from it before (producers, streams,
    queues) stays the parent's. An interrupt (KeyboardInterrupt) of a call that waits leaves the
    client as it is; in the rare case that it comes while a call changes something, the client is
    closed.
    """

    def __init__(self, link: Link, shared: Shared, defaults: Defaults) -> None:
        super().__init__(link, shared, defaults.timeout_s)
        self.name = _name(defaults)
        self._defaults = defaults
        self._publishers = Publishers(partial(ConfirmedPublisher, self._link, self._shared))
        self._producers: WeakSet[Producer] = WeakSet()
        self._readers: WeakSet[Stream | Queue] = WeakSet()
        # Nothing that the reader's thread holds may hold the client: it ends when that is dropped.
        link.owner = ref(self)
        shared.on_interrupt = partial(_interrupted, link.owner)
        _clients.add(self)

    # Publishing

    @overload
    def publish(
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
    def publish(
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

    def publish(
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
        level = LEVELS[check_durability(durability)]
        item = make_item(value, key, headers, self._link.limits, ttl, priority)
        plan = plan_of(delay, at, schedule_key)
        if plan is not None:
            return self._schedule(topic, item, partition, plan, timeout)
        timeout = self._timeout_s if timeout is None else check_timeout("timeout", timeout)
        return self._publish(topic, item, partition, level, timeout)

    def _publish(
        self, topic: str, item: Item, partition: int | None, level: int, timeout_s: float
    ) -> Receipt:
        with self._shared.lock, self._shared.turn:
            self._link.connected()  # raises Closed
            publisher = self._publishers.of(topic)
            pending = publisher.put(item, partition, level)
        return publisher.wait(pending, timeout_s)

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
        """A producer for many records: ``with client.producer("orders") as producer``.

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
        publisher = Publisher(self._link, self._shared, topic, options)
        level = LEVELS[check_durability(durability)]
        producer = Producer(self._link, self._shared, publisher, level, patience_s, self._timeout_s)
        producer.owner = self
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
        """Read a topic: ``with client.stream("orders", group="audit") as stream``.

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
            member=f"{self.name[:100]}-{self._shared.clock.token()}",
            start=start,
            partitions=partitions,
            prefetch_records=prefetch_records,
            prefetch_bytes=prefetch_bytes,
            hold=hold,
            commit_interval=commit_interval,
            timeout_s=self._timeout_s,
        )
        subscriber = Subscriber(self._link, self._shared, options)
        stream = Stream(self._link, self._shared, subscriber)
        stream.owner = self
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
        """Work on a topic: ``with client.queue("orders", group="billing") as queue``.

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
            consumer=consumer or f"{self.name[:100]}-{self._shared.clock.token()}",
            start=start,
            prefetch=prefetch,
            prefetch_bytes=prefetch_bytes,
            timeout_s=self._timeout_s,
            **settings,
        )
        queue = Queue(self._link, self._shared, options)
        queue.owner = self
        self._readers.add(queue)
        return queue

    # Entering and leaving

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self, *, timeout: float = _DRAIN_S) -> None:
        """Wait until all that was published, or scheduled, is confirmed, for at most ``timeout`` s;
        then disconnect.

        What is not confirmed by then fails with IndeterminateError or Closed where it is awaited.
        """
        if self._link.closed:
            return
        drain_s = check_timeout("timeout", timeout)
        try:
            self._drain(drain_s)
        finally:
            with self._shared.lock, self._shared.turn:
                self._fail_all(Closed("the client was closed"))
            self._link.close()

    def _drain(self, timeout_s: float) -> None:
        until = self._shared.time() + timeout_s
        with self._shared.lock, self._shared.turn:
            awaited = [
                pending.promise.wait for one in self._publishers for pending in one.awaited()
            ]
            drains = [*(producer.drain for producer in self._producers), self._underway.drain]
        for drain in drains:
            drain(0.0)  # all that lingers leaves now: one that gets no receipt holds up no other
        if not all(wait(until - self._shared.time()) for wait in (*awaited, *drains)):
            log.warning("closing with unconfirmed publishes")

    def _fail_all(self, error: Error) -> None:
        for publisher in self._publishers:
            publisher.close(error)
        for producer in tuple(self._producers):
            producer.close(error)
        for reader in tuple(self._readers):
            reader.fail(error)

    def _break_off(self, error: Error) -> None:
        """A call was interrupted in the middle; the lock is held."""
        self._link.break_off(error)
        try:
            self._fail_all(error)
        except Exception:
            log.exception("what was interrupted cannot be told to all who wait")

    def __del__(self) -> None:
        if self._link.is_at_work:
            warnings.warn(f"the client {self.name!r} was not closed", ResourceWarning, 2, self)

    def after_fork(self) -> None:
        """This process is a child, with none of the parent's threads."""
        self._shared.renew()
        self.name = _name(self._defaults)
        self._link.after_fork(hello_of(self._defaults))
        self._publishers = Publishers(partial(ConfirmedPublisher, self._link, self._shared))
        self._schedulers, self._underway = {}, Underway(self._shared)
        closed = Closed(_FORKED)
        for producer in tuple(self._producers):
            producer.after_fork(closed)
        for reader in tuple(self._readers):
            reader.after_fork(closed)


def _interrupted(owner: Callable[[], Client | None], error: Error) -> None:
    client = owner()
    if client is not None:
        client._break_off(error)


_clients: Final[WeakSet[Client]] = WeakSet()


def _after_fork() -> None:
    for client in tuple(_clients):
        client.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def _name(defaults: Defaults) -> str:
    return defaults.name or f"{socket.gethostname()}-{os.getpid()}"


def hello_of(defaults: Defaults) -> m.Hello:
    """What its connections begin with."""
    return m.Hello(versions=[1], client=_name(defaults), namespace=defaults.namespace)
