"""Publishing at a high rate without asyncio."""

import logging
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from tapemq import errors
from tapemq.batch.extras import Scalar
from tapemq.errors import Closed, Error, again
from tapemq.publishing.item import RECORD_COST_BYTES, Value, make_item
from tapemq.publishing.lane import Lane
from tapemq.publishing.open_batch import OpenBatch
from tapemq.queues.verdict import Duration
from tapemq.sync.link import Link
from tapemq.sync.promise import Promise
from tapemq.sync.publisher import Publisher
from tapemq.sync.shared import Shared, Timer
from tapemq.wire.partitions import check_partition

log = logging.getLogger("tapemq.client")

_SEALED = OpenBatch(0, 0, 0.0, 0.0)
"""Never has room: the next record takes the long way."""


class Producer:
    """Publishes records in batches; made by ``Client.producer()``, used with ``with``.

    Records of one producer to one partition keep the order of the calls. Leaving the block waits
    until all of them are confirmed; leaving it by a KeyboardInterrupt gives them up. Any thread
    may send; a process that was forked has to open a producer of its own.
    """

    owner: object = None
    """The client, which may be dropped before this is."""

    def __init__(
        self,
        link: Link,
        shared: Shared,
        publisher: Publisher,
        level: int,
        timeout_s: float,
        open_timeout_s: float,
    ) -> None:
        self._link = link
        self._shared = shared
        self._publisher = publisher
        self._level = level
        self._timeout_s = timeout_s
        self._open_timeout_s = open_timeout_s
        self._open = _SEALED
        self._opened = False
        self._told: Error | None = None
        self._watch: Timer | None = None

    def send(
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
            with self._shared.lock:
                batch = self._open
                room = batch.room - len(value) - RECORD_COST_BYTES
                if room > 0:
                    batch.room = room
                    batch.values.append(value)
                    return
        self._send(value, key, headers, partition, ttl, priority)

    def send_many(self, values: Sequence[Value]) -> None:
        """Hand over records that have only a value: as ``send(value)`` for each, in order.

        It costs less for each record. After an error the records before the one that failed are
        taken. Raises as send().
        """
        taken = 0
        while taken < len(values):
            rest = values[taken:] if taken else values
            with self._shared.lock, self._shared.turn:
                count = self._open.extend(rest)
            if not count:
                self._send(rest[0], None, None, None)
            taken += count or 1

    def _send(
        self,
        value: Value,
        key: bytes | str | None,
        headers: Mapping[str, Scalar] | None,
        partition: int | None,
        ttl: Duration | None = None,
        priority: int = 0,
    ) -> None:
        partition = check_partition(partition)
        item = make_item(value, key, headers, self._link.limits, ttl, priority)
        with self._shared.lock, self._shared.turn:
            self._check()
            lane = self._publisher.add(item, partition, self._level)
            if item.key is None and partition is None and not priority:
                self._open = lane.open or _SEALED
            change = self._change_until_room(lane)
        while change is not None:
            change.wait(self._timeout_s)
            with self._shared.lock, self._shared.turn:
                self._check()
                change = self._change_until_room(lane)

    def _change_until_room(self, lane: Lane) -> Promise[None] | None:
        return self._publisher.changes.next() if lane.full else None

    def flush(self) -> None:
        """Wait until every record that was handed over is confirmed. Raises Error, as send().

        What is handed over meanwhile is not waited for.
        """
        with self._shared.lock, self._shared.turn:
            self._check()
            is_done = self._publisher.hurry()
        while (progress := self._progress_until(is_done)) is not None:
            progress.wait(self._timeout_s)

    def _progress_until(self, is_done: Callable[[], bool]) -> Promise[None] | None:
        with self._shared.lock, self._shared.turn:
            self._check()
            return None if is_done() else self._publisher.changes.next()

    def drain(self, timeout: float) -> bool:
        """Wait until what was handed over is confirmed or has failed, for at most ``timeout`` s.

        Whether that is so. Closing the client does it; who sends is told of a failure.
        """
        until = self._shared.time() + timeout
        with self._shared.lock, self._shared.turn:
            is_done = self._publisher.hurry()
        while (change := self._change_until(is_done)) is not None:
            if not change.wait(until - self._shared.time()):
                return False
        return True

    def _change_until(self, is_done: Callable[[], bool]) -> Promise[None] | None:
        with self._shared.lock, self._shared.turn:
            is_over = self._publisher.failure is not None or is_done()
            return None if is_over else self._publisher.changes.next()

    def _finish(self) -> None:
        """Wait until nothing is unconfirmed."""
        while not self._is_idle():
            self.flush()

    def _is_idle(self) -> bool:
        with self._shared.lock, self._shared.turn:
            self._check()
            return self._publisher.idle

    def _check(self) -> None:
        if not self._opened:
            raise Closed("the producer is not open: use it with `with`")
        if self._publisher.failure is not None:
            self._told = self._publisher.failure
            raise again(self._told)

    def __enter__(self) -> Self:
        until = self._shared.time() + self._open_timeout_s
        with self._shared.lock, self._shared.turn:
            self._link.connected()  # raises Closed
            self._publisher.begin()
        try:
            while (change := self._unopened()) is not None:
                if not change.wait(until - self._shared.time()):
                    raise errors.TimeoutError(
                        f"{self._publisher.topic}: the producer could not be opened: "
                        f"{self._link.no_answer(self._open_timeout_s)}"
                    )
        except BaseException:
            self.close(Closed("the producer was not opened"))
            raise
        return self

    def _unopened(self) -> Promise[None] | None:
        with self._shared.lock, self._shared.turn:
            if self._publisher.failure is not None:
                raise again(self._publisher.failure)
            if not self._publisher.is_open:
                return self._publisher.changes.next()
            self._opened = True
            self._watch_deadline()
            return None

    def _watch_deadline(self) -> None:
        """Fail when a record waits longer than it may."""
        now, oldest_at = self._shared.time(), self._publisher.oldest_at()
        due = (now if oldest_at is None else oldest_at) + self._timeout_s
        if due <= now:
            reason = f"a record was not confirmed within {self._timeout_s:g} s"
            self._publisher.fail(self._publisher.expired(reason))
        else:
            self._watch = self._shared.call_at(due, self._watch_deadline)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                if self._publisher.failure is None or self._told is None:
                    self._finish()
            elif isinstance(error, Exception):
                self._flush_quietly()
        finally:
            self.close(Closed("the producer was closed"))

    def _flush_quietly(self) -> None:
        """The block's own exception is the one to be raised."""
        told = self._told
        try:
            self._finish()
        except Error as error:
            if error is not told:
                log.error("%s: records were lost: %s", self._publisher.topic, error)

    def close(self, error: Error) -> None:
        """Give up what is unconfirmed, with ``error`` for whoever still sends."""
        with self._shared.lock, self._shared.turn:
            if self._watch is not None:
                self._watch.cancel()
            if self._publisher.failure is None and self._publisher.idle:
                self._told = error  # nobody has lost anything by it
            self._publisher.fail(error)
            self._open = _SEALED

    def after_fork(self, error: Error) -> None:
        """This process is a child: what was handed over is the parent's to send."""
        self._open = _SEALED
        self._told = self._publisher.failure = error
