"""What a stream has received and handed out: assignments, buffered deliveries, positions.

Pure. The shell tells it what was pushed, asks for the next batch to hand out, and for what is
handled: a record is when the application has come back for the next one.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from tapemq.batch import BatchError, Kind, iter_batches
from tapemq.errors import Fenced
from tapemq.streams.assignment import Assignment
from tapemq.streams.credit import Credit, Grant
from tapemq.streams.hand_out import HandOut, decode_batch, tail
from tapemq.streams.record_batch import RecordBatch
from tapemq.wire import messages as m

_PATIENCE: Final = 0.8
"""Share of a revocation's deadline that the record in hand may take; the rest is for the commit."""


class _Delivery(NamedTuple):
    assignment: Assignment
    subscription: int
    next_offset: int
    records: int
    payload: bytes


class Intake:
    """See the module's text."""

    def __init__(self, topic: str) -> None:
        self.assignments: dict[int, Assignment] = {}
        self.grants: deque[m.Credit] = deque()
        self.revoking: set[int] = set()
        # Of partitions that were lost with records handed out: below what they are committed.
        self._unconfirmed: dict[int, int] = {}
        # Partitions that went with records handed out that were not committed, nobody having been
        # told yet. The answer to a commit may still be on its way.
        self._lost: dict[int, Assignment] = {}
        self._topic = topic
        self._credits: dict[int, Credit] = {}
        self._inbox: deque[_Delivery] = deque()
        self._delivery: _Delivery | None = None
        self._runs: Iterator[RecordBatch] = iter(())
        self._hand: HandOut | None = None
        self._in_hand = 0

    def begin_in_group(self) -> None:
        """The stream is entered, maybe not for the first time: it is the group that knows where it
        is, and what was in hand when the stream was left was not committed."""
        for assignment in tuple(self.assignments.values()):
            self.forget(assignment)
        self._lost.clear()

    # What the broker says

    def subscribed(self, subscription: int, window: Grant) -> None:
        """A subscription was made with this much credit."""
        self._credits[subscription] = Credit(window)

    def cut_off(self) -> None:
        """The connection was lost: what is buffered will come again, or belongs to others."""
        for assignment in self.assignments.values():
            assignment.live = False
            self._stop(assignment)
        self._credits.clear()
        self.grants.clear()

    def assigned(self, message: m.Assigned, *, moved: bool = False) -> None:
        """A partition is this stream's now, or (``moved``) to be read from another offset on."""
        partition = message.partition
        assignment = self.assignments.get(partition)
        known = assignment is not None and not moved
        if assignment is None:
            assignment = self.assignments[partition] = Assignment(partition)
        self._stop(assignment)
        self.revoking.discard(partition)
        self._lost.pop(partition, None)
        if not assignment.assign(message, known):
            self._forget_hand(assignment)
        confirmed = self._unconfirmed.pop(partition, message.offset)
        assignment.committed = min(assignment.committed, confirmed)

    def revoked(self, message: m.Revoke, now: float) -> None:
        """Another member wants a partition: nothing more of it is handed out."""
        assignment = self.assignments.get(message.partition)
        if assignment is not None and assignment.generation == message.generation:
            self._stop(assignment)
            self.revoking.add(message.partition)
            assignment.release_by = now + message.deadline_ms / 1000 * _PATIENCE

    def delivered(self, message: m.Deliver, payload: memoryview) -> None:
        """Batches have arrived."""
        assignment = self.assignments.get(message.partition)
        if (
            assignment is None
            or not assignment.live
            or assignment.generation != message.generation
            or assignment.release_by is not None
        ):
            self._give_back(message.subscription, message.records, len(payload))
            return
        self._inbox.append(
            _Delivery(
                assignment,
                message.subscription,
                message.next_offset,
                message.records,
                bytes(payload),
            )
        )

    def _give_back(self, subscription: int, records: int, size_bytes: int) -> None:
        credit = self._credits.get(subscription)
        grant = credit.returned(records, size_bytes) if credit else None
        if grant is not None:
            self.grants.append(m.Credit(subscription, grant.records, grant.bytes))

    def _stop(self, assignment: Assignment) -> None:
        """Drop what is buffered of a partition. The record in hand stays so."""
        if self._hand is not None and self._hand.assignment is assignment:
            self._hand.stop()
            assignment.position = self._hand.next_offset
        if self._delivery is not None and self._delivery.assignment is assignment:
            self._runs, self._delivery = iter(()), None
        kept = deque(item for item in self._inbox if item.assignment is not assignment)
        for dropped in self._inbox:
            if dropped.assignment is assignment:
                self._give_back(dropped.subscription, dropped.records, len(dropped.payload))
        self._inbox = kept

    def _forget_hand(self, assignment: Assignment) -> None:
        if self._holds(assignment):
            self._hand = None

    # What the application takes

    def next_hand(self) -> HandOut | None:
        """The records to hand out now; what was in hand is handled. Raises BatchError."""
        self._in_hand = 0
        hand = self._hand
        if hand is not None:
            if not hand.exhausted:
                return hand
            hand.assignment.position = max(hand.assignment.position, hand.next_offset)
            self._hand = None
        while self._delivery is not None or self._inbox:
            if self._delivery is None:
                self._begin(self._inbox.popleft())
            hand = self._hand = self._next_of_delivery()
            if hand is not None:
                return hand
        return None

    def _begin(self, delivery: _Delivery) -> None:
        self._delivery = delivery
        self._runs = self._decode(delivery)
        self._give_back(delivery.subscription, delivery.records, len(delivery.payload))

    def _next_of_delivery(self) -> HandOut | None:
        delivery = self._delivery
        assert delivery is not None
        assignment = delivery.assignment
        try:
            for run in self._runs:
                if run.next_offset > assignment.position:
                    return HandOut(assignment, tail(run, assignment.position))
        except BatchError:
            self._runs = self._decode(delivery)  # who asks again must not get what is behind it
            raise
        assignment.position = max(assignment.position, delivery.next_offset)
        self._delivery = None
        return None

    def _decode(self, delivery: _Delivery) -> Iterator[RecordBatch]:
        position = delivery.assignment.position
        for header, body in iter_batches(delivery.payload):
            if header.kind is Kind.DATA and header.next_offset > position:
                yield from decode_batch(self._topic, header, body)

    def hold(self, records: int) -> None:
        """So many of the last records handed out are in hand: 1, or all of a run."""
        self._in_hand = records

    def settle(self) -> None:
        """What is in hand counts as handled; what is handed out next does not yet."""
        if self._hand is not None:
            self._hand.settled = self._hand.next_offset

    # Where it stands

    def position(self, assignment: Assignment) -> int:
        """The next offset to hand out."""
        if self._hand is not None and self._holds(assignment):
            return self._hand.next_offset
        return assignment.position

    def handled(self, assignment: Assignment) -> int:
        """Everything below was handed out and is handled."""
        hand = self._hand
        if hand is None or hand.assignment is not assignment:
            return assignment.position
        return max(hand.next_offset - self._in_hand, hand.settled)

    def _holds(self, assignment: Assignment) -> bool:
        return self._hand is not None and self._hand.assignment is assignment

    def releasable(self, assignment: Assignment) -> bool:
        """Whether no record of a partition is in hand."""
        return not self._in_hand or self.handled(assignment) >= self.position(assignment)

    def owes(self, assignment: Assignment, offset: int) -> bool:
        """Whether what is handled below ``offset`` is still to be committed. Raises Fenced."""
        if assignment.committed >= offset:
            return False
        is_ours = self.assignments.get(assignment.partition) is assignment
        if not is_ours or self.handled(assignment) < offset:
            raise Fenced(
                f"partition {assignment.partition} was taken before offset {offset} was committed: "
                "what was handled since the last commit is handed out again"
            )
        return True

    def move(self, assignment: Assignment, position: int) -> None:
        """Have a partition read from there on, once it is assigned again."""
        self._stop(assignment)
        self._forget_hand(assignment)
        assignment.position = position

    def forget(self, assignment: Assignment) -> None:
        """The partition is somebody else's."""
        if self.assignments.get(assignment.partition) is assignment:
            if self.handled(assignment) > assignment.committed:
                self._unconfirmed[assignment.partition] = assignment.committed
            if self.position(assignment) > assignment.committed:
                self._lost[assignment.partition] = assignment
            self._stop(assignment)
            self._forget_hand(assignment)
            self.revoking.discard(assignment.partition)
            del self.assignments[assignment.partition]

    def check_lost(self) -> None:
        """Raise Fenced if partitions have gone with records handed out that are not committed."""
        lost = [went for went in self._lost.values() if went.committed < went.position]
        if lost:
            numbers = ", ".join(map(str, sorted(went.partition for went in lost)))
            raise Fenced(
                f"partition {numbers} went to another member before what was handed out was "
                "committed: that is handed out again"
            )

    def accept_losses(self) -> None:
        """Whoever asked was told, or does not ask: those records are handed out again."""
        self._lost.clear()
