"""One producer's way into one partition: batches in order, numbered, sent again until confirmed.

Pure: who owns a lane sends what take() returns, and says what became of it. The rules:

* A batch gets its sequence when it is first sent, so that what was never sent can be given up
  without leaving a gap. Whatever is sent again is the same bytes.
* When a batch is refused or its answer lost, nothing more is sent until all those in flight are
  answered; then all unconfirmed ones go again, in order.
* A broker that was started anew with lower limits gets smaller batches, also of what it refused
  and never had in doubt: the same records with the same sequences.
* The broker may not know the place where the lane goes on (it lost records that it had confirmed
  as written only, or forgot an idle producer). Then nothing unconfirmed is in its log, and the
  lane starts a new epoch at sequence 0.
"""

from collections import deque
from typing import Final, NamedTuple

from tapemq.batch import (
    Codec,
    Columns,
    Numbers,
    checksum,
    decode_columns,
    decode_prefix,
    encode_parts,
)
from tapemq.batch.expiry import EXPIRY
from tapemq.publishing.item import Item
from tapemq.publishing.open_batch import OpenBatch, Waiter

IN_FLIGHT_MAX: Final = 32
"""Most batches in flight: half of what the broker remembers of a producer to find duplicates."""


class LaneOptions(NamedTuple):
    """How a lane makes and sends its batches."""

    batch_bytes: int
    linger_s: float = 0.0
    max_in_flight: int = IN_FLIGHT_MAX
    codec: Codec = Codec.NONE


class SentBatch:
    """A batch that was sent and is not confirmed. ``uncertain``: an answer to it was lost.
    ``in_flight``: its answer is still to come.

    Its records live on in the body only: while it is in flight the producer's memory is free.
    ``parts`` are the body, one behind the other.
    """

    __slots__ = (
        "checksum", "confirmed", "flags", "in_flight", "level", "parts", "record_count",
        "size_bytes", "started_at", "uncertain", "waiters",
    )  # fmt: skip

    def __init__(self, origin: OpenBatch) -> None:
        self.waiters = origin.waiters
        self.record_count = len(origin.values)
        self.level = origin.level
        self.flags = EXPIRY if origin.expires else 0
        self.started_at = origin.started_at
        self.parts = (b"", b"")
        self.size_bytes = 0
        self.checksum = 0
        self.confirmed = False
        self.in_flight = False
        self.uncertain = False


class Lane:
    """See the module's text. ``now`` is monotonic seconds."""

    def __init__(self, partition: int, producer_id: int, epoch: int, options: LaneOptions) -> None:
        self.partition = partition
        self.open: OpenBatch | None = None
        self.full: deque[OpenBatch] = deque()
        self.unconfirmed: deque[SentBatch] = deque()
        self.resume_at = 0.0
        self.closed = 0
        """So many batches take no more records."""
        self._producer_id = producer_id
        self._epoch = epoch
        self._options = options
        self._next_sequence = 0
        self._again: deque[SentBatch] = deque()
        self._awaited = 0
        self._rewinding = False
        self._lost_place = False

    @property
    def idle(self) -> bool:
        """Nothing is waiting to be sent or confirmed."""
        return not (self.unconfirmed or self.full or (self.open and self.open.values))

    @property
    def done(self) -> int:
        """So many of the closed batches, from the first on, are confirmed or were given up."""
        return self.closed - len(self.full) - len(self.unconfirmed)

    @property
    def oldest_at(self) -> float | None:
        """When the oldest record that is not confirmed was added."""
        if self.unconfirmed:
            return self.unconfirmed[0].started_at
        if self.full:
            return self.full[0].started_at
        return self.open.started_at if self.open else None

    @property
    def is_unknown(self) -> bool:
        """Something unconfirmed may be in the log: not what was refused, and was not sent again."""
        return any(sent.in_flight or sent.uncertain or sent.confirmed for sent in self.unconfirmed)

    # Filling

    def add(self, item: Item, level: int, now: float, waiter: Waiter | None = None) -> None:
        """Add a record to the open batch, or to a new one if it does not fit."""
        batch = self.open
        if batch is not None and (batch.room <= item.cost_bytes or batch.level != level):
            self.close_open()
            batch = None
        if batch is None:
            options = self._options
            batch = self.open = OpenBatch(options.batch_bytes, level, now, options.linger_s)
        batch.add(item, waiter)
        if batch.room <= 0:
            self.close_open()

    def close_open(self) -> None:
        """Let the open batch leave as it is."""
        if self.open is not None:
            self.open.close()
            if self.open.values:
                self.full.append(self.open)
                self.closed += 1
            self.open = None

    def change_options(self, options: LaneOptions) -> None:
        """For the batches that are begun from now on, and those that are certainly not in the log.

        Nothing is in flight.
        """
        self.close_open()
        self._options = options
        self.full = deque(part for one in self.full for part in one.split(options.batch_bytes))
        self.unconfirmed = deque(part for one in self.unconfirmed for part in self._split(one))
        self._again = deque(sent for sent in self.unconfirmed if not sent.confirmed)

    def _split(self, sent: SentBatch) -> list[SentBatch]:
        if sent.uncertain or sent.confirmed:
            return [sent]
        body = b"".join(sent.parts)
        prefix = decode_prefix(body)
        origin = OpenBatch(self._options.batch_bytes, sent.level, sent.started_at, 0.0)
        values, keys, extras = decode_columns(body)
        origin.values = list(values)
        origin.keys, origin.extras = list(keys or ()), list(extras or ())
        origin.waiters, origin.expires = sent.waiters, bool(sent.flags & EXPIRY)
        parts, sequence = [], prefix.first_sequence
        for batch in origin.split(self._options.batch_bytes):
            part = SentBatch(batch)
            self._encode(part, batch.seal(), sequence, prefix.producer_time_us)
            sequence += part.record_count
            parts.append(part)
        return parts if len(parts) > 1 else [sent]

    # Sending

    def next_bytes(self, now: float) -> int | None:
        """At most so many bytes would be sent next; None: nothing is to be sent now."""
        if self._rewinding or now < self.resume_at:
            return None
        if self._awaited >= self._options.max_in_flight:
            return None
        if self._again:
            return self._again[0].size_bytes
        while self.full and not self.full[0].values:
            self.full.popleft()  # all its records were given up
        if self.full:
            return self.full[0].size_bytes
        batch = self.open
        if batch is not None and batch.values and not self._awaited and now >= batch.leaves_at:
            return batch.size_bytes
        return None

    def take(self, time_us: int) -> SentBatch:
        """What next_bytes() announced; it counts as sent."""
        self._awaited += 1
        sent = self._again.popleft() if self._again else self._take_new(time_us)
        sent.in_flight = True
        return sent

    def _take_new(self, time_us: int) -> SentBatch:
        if not self.full:
            self.close_open()
        batch = self.full.popleft()
        sent = SentBatch(batch)
        self._number(sent, batch.seal(), time_us)
        self.unconfirmed.append(sent)
        return sent

    def _number(self, sent: SentBatch, columns: Columns, time_us: int) -> None:
        self._encode(sent, columns, self._next_sequence, time_us)
        self._next_sequence += sent.record_count

    def _encode(self, sent: SentBatch, columns: Columns, sequence: int, time_us: int) -> None:
        numbers = Numbers(self._producer_id, self._epoch, sequence, time_us)
        codec, flags = self._options.codec, sent.flags
        sent.parts = encode_parts(columns, numbers, codec=codec, flags=flags)
        if codec is not Codec.NONE:  # what does not shrink goes as it is
            plain = encode_parts(columns, numbers, flags=flags)
            sent.parts = min(sent.parts, plain, key=_size)
        sent.size_bytes = _size(sent.parts)
        prefix, rest = sent.parts
        sent.checksum = checksum(rest, checksum(prefix))

    # Answers

    def confirmed(self, sent: SentBatch, time_us: int) -> None:
        """The batch is in the log."""
        sent.confirmed = True
        while self.unconfirmed and self.unconfirmed[0].confirmed:
            self.unconfirmed.popleft()
        self._answered(sent, time_us)

    def refused(self, sent: SentBatch, time_us: int, *, uncertain: bool = False) -> None:
        """The batch is to be sent again. ``uncertain``: there was no answer."""
        sent.uncertain |= uncertain
        self._rewinding = True
        self._answered(sent, time_us)

    def lose_place(self, time_us: int) -> None:
        """The broker knows nothing of what is unconfirmed: number it anew."""
        self._lost_place = True
        self._rewinding = True
        if not self._awaited:
            self._rewind(time_us)

    def _answered(self, sent: SentBatch, time_us: int) -> None:
        sent.in_flight = False
        self._awaited -= 1
        if self._rewinding and not self._awaited:
            self._rewind(time_us)

    def _rewind(self, time_us: int) -> None:
        self._rewinding = False
        self._again = deque(sent for sent in self.unconfirmed if not sent.confirmed)
        if self._lost_place:
            self._lost_place = False
            self._epoch += 1
            self._next_sequence = 0
            for sent in self._again:
                sent.uncertain = False
                self._number(sent, decode_columns(b"".join(sent.parts)), time_us)

    def fail(self, error: Exception, unknown: Exception, refused: SentBatch | None = None) -> None:
        """Give everything up: with ``unknown`` what may be in the log, else with ``error``.

        ``refused``: for which batch the broker gave that error. Nor has it taken what was sent
        behind it.
        """
        is_refused = False
        for sent in self.unconfirmed:
            is_refused |= sent is refused
            if not sent.confirmed:
                is_unknown = sent.uncertain or (sent.in_flight and not is_refused)
                for waiter in sent.waiters:
                    waiter.fail(unknown if is_unknown else error)
        self.close_open()
        for batch in self.full:
            batch.fail(error)
        self.unconfirmed.clear()
        self.full.clear()
        self._again.clear()


def _size(parts: tuple[bytes, bytes]) -> int:
    return len(parts[0]) + len(parts[1])
