"""Deduplication: the recent batches of each producer on one partition.

The window is the last WINDOW_BATCHES batches of a producer, kept for PRODUCER_IDLE_S after the
last one, for at most PRODUCERS_MAX producers. It is derived from the log and never written but as
a snapshot that saves reading: a retry after a restart meets the same window.
"""

import sys
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgpack

from tapemq.batch import BodyPrefix
from tapemq_broker.core.packed import BadEntry, check_list, unpack_list
from tapemq_broker.core.refusal import Refused

WINDOW_BATCHES: Final = 64
"""Twice what a client may have in flight, so that a whole flight can be sent again."""

PRODUCER_IDLE_S: Final = 24 * 3600
PRODUCERS_MAX: Final = 10_000
"""Per partition. Beyond it the longest idle one is forgotten. All of them with full windows take
20 MB, and 15 ms when a segment rolls."""

_EVICTED_AT_ONCE: Final = 2
_SEQUENCES: Final = 1 << 64
"""They wrap around; no producer comes that far, but a damaged log may say so."""
_SNAPSHOT_VERSION: Final = 1
_FIELDS: Final = 3
_ROW: Final = (int, int, int, int, int, bytes)
"""The producer's id, its epoch, next sequence, last time, and offset; its batches."""


class Remembered(NamedTuple):
    """A batch of a producer."""

    first_sequence: int
    record_count: int
    base_offset: int

    @property
    def next_sequence(self) -> int:
        """The sequence of the record behind it."""
        return self.first_sequence + self.record_count

    @property
    def next_offset(self) -> int:
        """The offset of the record behind it."""
        return self.base_offset + self.record_count


class _Producer:
    """One producer's epoch, next sequence and recent batches.

    ``heard_at`` is never below the offset of the last batch; in _by_id it never decreases.
    ``earlier`` is what the log holds of its last epoch, until it holds a batch of this one.
    """

    __slots__ = ("_batches", "earlier", "epoch", "heard_at", "last_time_us", "next_sequence")

    def __init__(self, epoch: int, known: "_Producer | None" = None) -> None:
        self.epoch = epoch
        self.earlier = None if known is None else known.in_log
        if known is not None:
            known.earlier = None
        self.next_sequence = 0
        self.last_time_us = 0
        self.heard_at = 0
        self._batches = array("Q")  # flat: a fifth of the memory that tuples would take

    @property
    def last_offset(self) -> int:
        """The offset of the last batch; -1 if none is remembered."""
        return self._batches[-1] if self._batches else -1

    @property
    def in_log(self) -> "_Producer | None":
        """Itself, or its last epoch if the log holds nothing of this one."""
        return self if self._batches else self.earlier

    def add(self, batch: Remembered, time_us: int) -> None:
        if self._batches:
            self.earlier = None
        self._batches.extend(batch)
        if len(self._batches) > WINDOW_BATCHES * _FIELDS:
            del self._batches[:_FIELDS]
        self.next_sequence = batch.next_sequence % _SEQUENCES
        self.heard_at = batch.base_offset
        self.last_time_us = time_us

    def newest_first(self) -> Iterator[Remembered]:
        batches = self._batches
        for end in range(len(batches), 0, -_FIELDS):
            yield Remembered(*batches[end - _FIELDS : end])

    def forget_from(self, offset: int) -> None:
        while self.last_offset >= offset:
            self.next_sequence = self._batches[-_FIELDS]
            del self._batches[-_FIELDS:]
        self.heard_at = offset

    def encode(self) -> tuple[int, int, int, int, bytes]:
        batches = self._batches.tobytes()
        return self.epoch, self.next_sequence, self.last_time_us, self.heard_at, batches

    @classmethod
    def decode(
        cls, epoch: int, next_sequence: int, last_time_us: int, heard_at: int, batches: bytes
    ) -> "_Producer":
        known = cls(epoch)
        known.next_sequence = next_sequence
        known.last_time_us = last_time_us
        known.heard_at = heard_at
        known._batches.frombytes(batches)
        return known


class Producers:
    """The producers of one partition, the longest idle one first."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[int, _Producer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_id)

    def check(self, prefix: BodyPrefix) -> Remembered | None:
        """None if the batch is the producer's next; what it repeats if it is a retry.

        Raises Refused (fenced, unknown_producer, out_of_order, bad_request) otherwise.
        """
        if prefix.producer_id == 0:
            return None
        known = self._by_id.get(prefix.producer_id)
        if known is None or prefix.producer_epoch > known.epoch:
            if prefix.first_sequence == 0:
                return None
            raise _unknown(prefix)
        if prefix.producer_epoch < known.epoch:
            raise Refused(
                "fenced",
                f"producer {prefix.producer_id:#x} has epoch {known.epoch} by now, this batch "
                f"has {prefix.producer_epoch}: open the producer anew",
            )
        if prefix.first_sequence == known.next_sequence:
            return None
        return _judge_repeat(prefix, known)

    def place_of(self, producer_id: int) -> tuple[int, int]:
        """The epoch and sequence with which a producer goes on; (0, 0) if it is not known."""
        known = self._by_id.get(producer_id)
        return (0, 0) if known is None else (known.epoch, known.next_sequence)

    def observe(self, prefix: BodyPrefix, base_offset: int, now_us: int) -> None:
        """Remember a batch that check() let through, or that the log holds at ``base_offset``."""
        # The log is the truth: a snapshot that was taken while a segment rolled may hold the batch
        # that was about to be appended, and a full disk may have refused just that one.
        self.forget_from(base_offset)
        if prefix.producer_id == 0:
            return
        known = self._by_id.get(prefix.producer_id)
        in_log = None if known is None else known.in_log
        if in_log is not None and in_log.epoch == prefix.producer_epoch:
            # A start forgot a raised epoch of which the log holds nothing, and the producer went
            # on with the one before it: a snapshot of before that start still names the raised one.
            known = self._by_id[prefix.producer_id] = in_log
        is_new = known is None or prefix.producer_epoch != known.epoch
        if known is None or is_new:
            known = self._by_id[prefix.producer_id] = _Producer(prefix.producer_epoch, known)
        known.add(Remembered(prefix.first_sequence, prefix.record_count, base_offset), now_us)
        self._by_id.move_to_end(prefix.producer_id)
        if is_new:
            self._evict(now_us)

    def forget_from(self, offset: int) -> None:
        """Take back batches at ``offset`` or behind it: they did not get into the log.

        Their producers stay known, so that a raised epoch goes on fencing, and so that what a
        producer sent behind its refused first batch is out of order, not from a stranger.
        """
        for known in reversed(self._by_id.values()):
            if known.heard_at < offset:
                return
            known.forget_from(offset)

    def forget_empty(self) -> None:
        """Forget epochs and producers of whom a log that was just opened holds nothing.

        A snapshot may name them, if their batches did not reach the disk; another log that lost
        the same batches has no snapshot. Both must give the same answer.
        """
        for producer_id, known in list(self._by_id.items()):
            if known.in_log is None:
                del self._by_id[producer_id]
            elif known.in_log is not known:
                self._by_id[producer_id] = known.in_log
                known.in_log.heard_at = known.heard_at  # these are in order

    def _evict(self, now_us: int) -> None:
        """Make room. Few at a time: a clock that jumps ahead must not make all forgotten."""
        idle_before_us = now_us - PRODUCER_IDLE_S * 1_000_000
        for _ in range(_EVICTED_AT_ONCE):
            known = next(iter(self._by_id.values()))
            if known.last_time_us >= idle_before_us and len(self._by_id) <= PRODUCERS_MAX:
                return
            self._by_id.popitem(last=False)

    def snapshot(self) -> bytes:
        """All of it, for restore()."""
        rows = [
            (producer_id, *known.encode())
            for producer_id, newest in self._by_id.items()
            for known in (newest.earlier, newest)
            if known is not None
        ]
        return bytes(msgpack.packb((_SNAPSHOT_VERSION, sys.byteorder, rows)))

    def restore(self, state: bytes | None) -> None:
        """Begin from a snapshot (None: from nothing).

        Raises BadEntry for one of another version, or of a machine of the other byte order.
        """
        self._by_id.clear()
        if state is None:
            return
        version, byteorder, rows = unpack_list(state, (int, str, list))
        if version != _SNAPSHOT_VERSION or byteorder != sys.byteorder:
            raise BadEntry(f"a snapshot of producers of version {version}, {byteorder} endian")
        for producer_id, *fields in [_row(row) for row in rows]:
            known = _Producer.decode(*fields)
            known.earlier = self._by_id.pop(producer_id, None)
            self._by_id[producer_id] = known


def _row(row: Any) -> list[Any]:
    fields = check_list(row, _ROW)
    if len(fields) != len(_ROW) or len(fields[-1]) % (_FIELDS * array("Q").itemsize):
        raise BadEntry("a producer's batches are cut off, or there is more than is known here")
    return fields


def _judge_repeat(prefix: BodyPrefix, known: _Producer) -> Remembered:
    first, end = prefix.first_sequence, prefix.first_sequence + prefix.record_count
    if first > known.next_sequence:
        raise Refused(
            "out_of_order",
            f"sequence {known.next_sequence} of producer {prefix.producer_id:#x} is missing, "
            f"this batch starts at {first}: send again from there",
        )
    for batch in known.newest_first():
        if batch.first_sequence == first and batch.record_count == prefix.record_count:
            return batch
        if batch.first_sequence < end and first < batch.next_sequence:
            raise Refused(
                "bad_request",
                f"sequences {first} to {end - 1} of producer {prefix.producer_id:#x} were sent "
                "in other batches before: a retry keeps the boundaries",
            )
    raise _unknown(prefix)


def _unknown(prefix: BodyPrefix) -> Refused:
    return Refused(
        "unknown_producer",
        f"producer {prefix.producer_id:#x} is not remembered back to sequence "
        f"{prefix.first_sequence}: whether this batch is in the log cannot be told any more",
    )
