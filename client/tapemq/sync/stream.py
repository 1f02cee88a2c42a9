"""Reading a topic without asyncio, record by record or batch by batch."""

import math
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from tapemq.batch import BatchError
from tapemq.errors import Closed, CorruptBatch, Error, PartitionNotFound, again
from tapemq.streams.hand_out import HandOut
from tapemq.streams.record import Record
from tapemq.streams.record_batch import RecordBatch
from tapemq.streams.start import Start, wire_start
from tapemq.sync.committer import Committer
from tapemq.sync.link import Link
from tapemq.sync.promise import Promise
from tapemq.sync.shared import Shared
from tapemq.sync.subscriber import Subscriber
from tapemq.wire import messages as m

_WAIT_S: Final = 3600.0
"""So long at a time; then it looks again."""


class Stream:
    """Reads a topic; made by ``Client.stream()``, used with ``with``.

    ``for record in stream`` hands out records in the order of their offsets, per partition.
    A record counts as handled when the next one is asked for. With a group, what is handled is
    committed about every ``commit_interval`` seconds and when the block is left normally; leaving
    it by an exception, a KeyboardInterrupt included, does not commit the record in hand. After a
    loss of the connection the stream goes on behind the last record that it handed out. One thread
    at a time reads a stream; a process that was forked has to open a stream of its own.

    Entering the block raises OffsetOutOfRange for a start beyond the end, PartitionNotFound, and
    RequestRefused if the group is a queue group, or for ``partitions`` together with a group.
    Iterating raises TopicNotFound when the topic is deleted, StorageFailed when the broker cannot
    read on because a log is damaged, CorruptBatch for data damaged elsewhere, Closed outside of
    the ``with`` block.
    """

    owner: object = None
    """The client, which may be dropped before this is."""

    def __init__(self, link: Link, shared: Shared, subscriber: Subscriber) -> None:
        self._link = link
        self._shared = shared
        self._subscriber = subscriber
        self._intake = subscriber.intake
        self._is_the_parents = False
        self._is_closed = False
        self._committer: Committer | None = None
        if subscriber.options.group:
            self._committer = Committer(link, shared, subscriber)

    # Reading

    def __iter__(self) -> Iterator[Record]:
        return self._records()

    def _records(self, patience_s: float = math.inf) -> Iterator[Record]:
        """Ends when nothing has come for so long."""
        while True:
            with self._shared.lock, self._shared.turn:
                hand, change = self._next_hand()
                if hand is not None:
                    self._intake.hold(1)
            if hand is not None:
                yield from hand.records
            elif change is not None:
                has_changed = change.wait(min(patience_s, _WAIT_S))
                if not has_changed and patience_s <= _WAIT_S:
                    return

    def batches(self) -> Iterator[RecordBatch]:
        """The same records, up to 512 that were published together at a time.

        All of a batch counts as handled when the next one is asked for.
        """
        while True:
            with self._shared.lock, self._shared.turn:
                hand, change = self._next_hand()
                if hand is not None:
                    batch = hand.take_batch()
                    self._intake.hold(len(batch))
            if hand is not None:
                yield batch
            elif change is not None:
                change.wait(_WAIT_S)

    def _next_hand(self) -> tuple[HandOut | None, Promise[None] | None]:
        """What to hand out next, or what to wait for; what was in hand before is handled."""
        subscriber, intake = self._subscriber, self._intake
        if self._committer is not None and self._committer.automatic:
            intake.accept_losses()
        try:
            hand = intake.next_hand()
        except BatchError as error:
            raise CorruptBatch(f"{subscriber.options.topic}: {error}") from error
        if intake.grants:
            subscriber.send_grants()
        if subscriber.failure is not None:
            raise again(subscriber.failure)
        if intake.revoking and self._committer is not None:
            self._committer.look()
        return hand, None if hand is not None else subscriber.changes.next()

    # Where it stands

    @property
    def position(self) -> dict[int, int]:
        """By partition that this stream reads: the offset of the next record to hand out."""
        with self._shared.lock:
            intake = self._intake
            return {p: intake.position(a) for p, a in intake.assignments.items()}

    def lag(self) -> int:
        """How many records lie between the position and the end, in all partitions read here."""
        subscriber = self._subscriber
        lag = 0
        for partition, position in self.position.items():
            request = m.DescribePartition(subscriber.topic_id, partition)
            end = self._link.call(request, subscriber.options.timeout_s)
            lag += max(0, end.visible_offset - position)
        return lag

    def commit(self) -> None:
        """Commit all records handed out, the one in hand included; durable when it returns.

        Raises:
            ValueError: the stream has no group.
            Fenced: a partition has gone to another member of the group.
            TimeoutError: there was no answer within the client's timeout.
        """
        if self._committer is None:
            raise ValueError("a stream without a group has no position to commit")
        with self._shared.lock, self._shared.turn:
            self._intake.settle()
        self._committer.commit()

    def seek(self, to: Start, *, partition: int | None = None) -> None:
        """Go on reading elsewhere.

        Without a group a seek that raises has not happened: the stream reads on from where it was.
        One that is cancelled or interrupted in its last moment may have happened, as a whole.

        Args:
            to: "earliest", "latest", an offset, or a datetime (the first record appended then; UTC
                without a time zone).
            partition: a number, from 0; by default all that this stream reads. With a group this
                moves the group's position, durably.

        Raises:
            OffsetOutOfRange: the offset is beyond the end.
            PartitionNotFound: this stream does not read that partition (now).
            ConnectionLost: this stream did not hear of it within the client's timeout. With a
                group it was done all the same.
        """
        start = wire_start(to)
        subscriber = self._subscriber
        with self._shared.lock, self._shared.turn:
            partitions = subscriber.partitions()
        if partition is not None and partition not in partitions:
            raise PartitionNotFound(f"this stream does not read partition {partition} now")
        targets = partitions if partition is None else [partition]
        if not subscriber.options.group:
            subscriber.seek(targets, start)
            return
        for target in targets:
            self._seek_group(target, *start)

    def _seek_group(self, partition: int, start: str, value: int) -> None:
        subscriber, assignments = self._subscriber, self._intake.assignments
        options = subscriber.options
        with self._shared.lock:
            known = assignments.get(partition)
            before = known.seek_epoch if known is not None else -1
        request = m.Seek(subscriber.topic_id, options.group, partition, start, value)
        self._link.call(request, options.timeout_s)

        def is_moved() -> bool:
            now = assignments.get(partition)
            return now is None or now.seek_epoch != before

        subscriber.wait_for(is_moved)

    # Entering and leaving

    def __enter__(self) -> Self:
        self._is_closed = False
        committer = self._committer
        if committer is not None:
            with self._shared.lock, self._shared.turn:
                self._intake.begin_in_group()
                committer.start()  # before there is a member that may be asked for partitions
        try:
            self._subscriber.open()
        except BaseException:
            if committer is not None:
                with self._shared.lock, self._shared.turn:
                    committer.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        committer = self._committer
        if self._is_the_parents:
            return
        try:
            if committer is not None and committer.automatic and not self._is_closed:
                if error is None:
                    self._intake.accept_losses()  # they were logged
                    self.commit()
                else:
                    committer.finish_quietly()
        finally:
            if committer is not None:
                with self._shared.lock, self._shared.turn:
                    committer.stop()
            self.close()

    def close(self) -> None:
        """Leave without committing."""
        self._is_closed = True
        try:
            self._subscriber.leave()
        finally:  # also if this is interrupted: what still listened would subscribe again
            self.fail(Closed("the stream is closed"))

    def fail(self, error: Error) -> None:
        """Let whoever reads, now or later, get ``error``."""
        with self._shared.lock, self._shared.turn:
            self._subscriber.fail(error)

    def after_fork(self, error: Error) -> None:
        """This process is a child: the subscriptions are the parent's."""
        self._is_the_parents = True
        self._subscriber.after_fork(error)
