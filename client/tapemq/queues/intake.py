"""What a queue was leased and has handed out, what of it began, was settled or lost.

Pure. The shell tells it what was pushed, asks for the next messages to hand out, and sends what
take_settlements(), take_started() and ``grants`` give.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from tapemq.batch import BatchError, Kind, iter_batches
from tapemq.queues.hand import Hand
from tapemq.queues.lease import Lease, merge
from tapemq.queues.leases import Leases
from tapemq.queues.settles import Settlement, Settles
from tapemq.queues.verdict import RELEASE
from tapemq.streams.credit import Credit, Grant
from tapemq.streams.hand_out import decode_batch, part
from tapemq.streams.record_batch import RecordBatch
from tapemq.wire import messages as m
from tapemq.wire.entries import Run, Tokens, unpack_runs


class _Delivery(NamedTuple):
    lease: Lease
    runs: Sequence[Run]
    payload: bytes


class QueueIntake:
    """See the module's text. ``make`` makes messages; ``desk`` is who will settle them."""

    def __init__(self, topic: str, make: Callable[..., Any]) -> None:
        self.leases = Leases()
        self.settles = Settles()
        self.grants: deque[m.Credit] = deque()
        self.subscription = 0
        self.desk: Any = None
        self._topic = topic
        self._make = make
        self._credit: Credit | None = None
        self._inbox: deque[_Delivery] = deque()
        self._hands: Iterator[Hand] = iter(())
        self._hand: Hand | None = None
        self._begun: list[Hand] = []  # handed out, but not all of it reported

    # What the broker says

    def subscribed(self, subscription: int, window: Grant) -> None:
        """A subscription is being made with this much credit."""
        self.subscription = subscription
        self._credit = Credit(window)

    def is_subscribed(self, subscription: int) -> bool:
        """Whether this is the subscription that there is."""
        return self._credit is not None and subscription == self.subscription

    def cut_off(self) -> int:
        """The subscription is gone: all that was leased comes again, here or elsewhere.

        Returns how many settlements were not said yet, and never will be.
        """
        self.stop()
        self.leases.cut_off()
        self._begun.clear()
        self.grants.clear()
        self._credit = None
        return sum(settlement.records for settlement in self.settles.take())

    def leased(self, message: m.Leased, payload: memoryview, now: float) -> None:
        """Records have come. Raises ProtocolError."""
        runs = unpack_runs(message.runs)
        lease = self.leases.begin(message, runs, len(payload), now)
        lease.desk = self.desk
        self._inbox.append(_Delivery(lease, runs, bytes(payload)))

    def lose(self, tokens: Iterable[Tokens]) -> int:
        """These leases were taken back. Returns how many messages were still held of them."""
        found = self.leases.lose(tokens)
        for lease, records in found:
            self._give_back(lease, records)
            self._withdraw(lease)
        return sum(records for _, records in found)

    # What the application takes

    def next_hand(self) -> Hand | None:
        """The messages to hand out now. Raises BatchError, and gives back what is behind it."""
        hand = self._hand
        if hand is not None and not hand.exhausted:
            return hand
        self._put_down()
        while True:
            hand = self._hand = next(self._hands, None)
            if hand is not None:
                self._begun.append(hand)
                return hand
            if not self._inbox:
                return None
            delivery = self._inbox.popleft()
            if delivery.lease.held:  # otherwise it was lost meanwhile
                self._hands = self._decode(delivery)

    def _put_down(self) -> None:
        if self._hand is not None:
            self._hand.lease.upto = self._hand.next_offset
            self._hand = None

    def _decode(self, delivery: _Delivery) -> Iterator[Hand]:
        try:
            yield from self._decoded(delivery)
        except BatchError:
            self._withdraw(delivery.lease)  # it would be kept for as long as this reads
            raise

    def _decoded(self, delivery: _Delivery) -> Iterator[Hand]:
        lease, runs = delivery.lease, deque(delivery.runs)
        for header, body in iter_batches(delivery.payload):
            if header.kind is Kind.DATA:
                for batch in decode_batch(self._topic, header, body):
                    for leased in _leased_parts(batch, runs):
                        yield Hand(lease, leased, self._make)
        if runs and lease.held:
            raise BatchError(
                f"partition {lease.partition}: offset {runs[0].first_offset} was leased, "
                "but its record did not come"
            )

    def withdraw(self) -> None:
        """Give back what was not handed out: others can have it at once."""
        for lease in self.leases:
            self._withdraw(lease)
        self.stop()

    def stop(self) -> None:
        """Hand out no more of what is here."""
        if self._hand is not None:
            self._hand.stop()
        self._put_down()
        self._hands = iter(())
        self._inbox.clear()

    def _withdraw(self, lease: Lease) -> None:
        """Give back what was not handed out of a lease."""
        if self._hand is not None and self._hand.lease is lease:
            self._hand.stop()
            self._put_down()
            self._hands = iter(())  # the rest of the lease
        waiting = [offset for offset in lease.held if offset >= lease.upto]
        if waiting:
            self.settles.add_all(RELEASE, lease, lease.take_all(waiting))

    # What is to be said

    def take_settlements(self) -> list[Settlement]:
        """What was settled since the last call. Its credit is granted again."""
        taken = self.settles.take()
        for settlement in taken:
            for lease, offsets in settlement.offsets.items():
                self._give_back(lease, len(offsets))
                self.leases.end(lease)
        return taken

    def take_started(self) -> list[Tokens]:
        """Messages that were handed out since the last call and are not settled."""
        entries: list[Tokens] = []
        for hand in self._begun:
            upto = hand.next_offset
            if upto > hand.reported:
                lease = hand.lease
                started = lease.held.intersection(range(hand.reported, upto))
                entries += merge(lease.lease_id, list(started))
                hand.reported = upto
        self._begun = [] if self._hand is None else [self._hand]
        return entries

    def _give_back(self, lease: Lease, records: int) -> None:
        size_bytes = lease.give_back(records)
        grant = self._credit.returned(records, size_bytes) if self._credit else None
        if grant is not None:
            self.grants.append(m.Credit(self.subscription, grant.records, grant.bytes))


def _leased_parts(batch: RecordBatch, runs: deque[Run]) -> Iterator[RecordBatch]:
    """What of a batch lies in the runs; what was found is taken from ``runs``."""
    while runs and runs[0].first_offset < batch.next_offset:
        first, records = runs[0]
        if first < batch.first_offset:
            return  # it should have come before
        leased = part(batch, first, first + records)
        if len(leased) < records:
            runs[0] = Run(batch.next_offset, records - len(leased))
        else:
            runs.popleft()
        yield leased
