"""Deduplication: the recent batches of each producer on one partition.

The window is the last WINDOW_BATCHES batches of a producer, kept for PRODUCER_IDLE_S after the
last one, for at most PRODUCERS_MAX producers. It is derived from the log and never written but as
a snapshot that saves reading: a retry after a restart meets the same window.
"""

from collections import OrderedDict, deque
from typing import Any, Final, NamedTuple

import msgpack

from tapemq.batch import BodyPrefix
from tapemq_broker.core.refusal import Refused

WINDOW_BATCHES: Final = 64
"""Twice what a client may have in flight, so that a whole flight can be sent again."""

PRODUCER_IDLE_S: Final = 24 * 3600
PRODUCERS_MAX: Final = 100_000
"""Per partition. Beyond it the longest idle one is forgotten."""


class Remembered(NamedTuple):
    """A batch of a producer."""

    first_sequence: int
    record_count: int
    base_offset: int


class _Producer:
    """One producer's epoch, next sequence and recent batches."""

    __slots__ = ("batches", "epoch", "last_time_us", "next_sequence")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.next_sequence = 0
        self.last_time_us = 0
        self.batches: deque[Remembered] = deque(maxlen=WINDOW_BATCHES)


class Producers:
    """The producers of one partition."""

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

    def observe(self, prefix: BodyPrefix, base_offset: int, now_us: int) -> None:
        """Remember a batch that check() let through, or that the log holds."""
        if prefix.producer_id == 0:
            return
        known = self._by_id.get(prefix.producer_id)
        if known is None or prefix.producer_epoch > known.epoch:
            known = self._by_id[prefix.producer_id] = _Producer(prefix.producer_epoch)
            self._evict(now_us)
        known.batches.append(Remembered(prefix.first_sequence, prefix.record_count, base_offset))
        known.next_sequence = prefix.first_sequence + prefix.record_count
        known.last_time_us = now_us
        self._by_id.move_to_end(prefix.producer_id)

    def forget_from(self, offset: int) -> None:
        """Take back batches at ``offset`` or behind it: they did not get into the log."""
        while self._by_id:
            producer_id, known = next(reversed(self._by_id.items()))  # the latest is at the end
            if not known.batches or known.batches[-1].base_offset < offset:
                return
            known.next_sequence = known.batches.pop().first_sequence
            if not known.batches and known.next_sequence == 0:
                del self._by_id[producer_id]

    def _evict(self, now_us: int) -> None:
        oldest_us = now_us - PRODUCER_IDLE_S * 1_000_000
        while self._by_id:
            producer_id, known = next(iter(self._by_id.items()))
            idle = known.last_time_us and known.last_time_us < oldest_us
            if not idle and len(self._by_id) <= PRODUCERS_MAX:
                return
            del self._by_id[producer_id]

    def snapshot(self) -> bytes:
        """All of it, for restore()."""
        rows: list[Any] = [
            (producer_id, p.epoch, p.next_sequence, p.last_time_us, list(p.batches))
            for producer_id, p in self._by_id.items()
        ]
        return bytes(msgpack.packb(rows))

    def restore(self, state: bytes | None) -> None:
        """Begin from a snapshot (None: from nothing)."""
        self._by_id.clear()
        for producer_id, epoch, next_sequence, time_us, batches in msgpack.unpackb(
            state or b"\x90"
        ):
            known = self._by_id[producer_id] = _Producer(epoch)
            known.next_sequence = next_sequence
            known.last_time_us = time_us
            known.batches.extend(Remembered(*batch) for batch in batches)


def _judge_repeat(prefix: BodyPrefix, known: _Producer) -> Remembered:
    first, end = prefix.first_sequence, prefix.first_sequence + prefix.record_count
    if first > known.next_sequence:
        raise Refused(
            "out_of_order",
            f"sequence {known.next_sequence} of producer {prefix.producer_id:#x} is missing, "
            f"this batch starts at {first}: send again from there",
        )
    for batch in reversed(known.batches):
        if batch.first_sequence == first and batch.record_count == prefix.record_count:
            return batch
        if batch.first_sequence < end and first < batch.first_sequence + batch.record_count:
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
