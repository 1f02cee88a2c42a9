"""Hands records out, and takes them back."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from tapemq_broker.core.effects import (
    DeliverLease,
    Effects,
    Later,
    StateChanged,
    TakeBack,
    WhenDurable,
)
from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.changed import Changed
from tapemq_broker.core.queue.chores import Chore, Chores
from tapemq_broker.core.queue.consumer import Consumer
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.lease import Run
from tapemq_broker.core.queue.leases import Held, Leases
from tapemq_broker.core.queue.outcome import Noted, Outcome
from tapemq_broker.core.queue.retries import Retries
from tapemq_broker.core.queue.trouble import Place
from tapemq_broker.core.subscription import DELIVERY_BYTES_MAX

RECORDS_MAX: Final = 1000
"""Most records of one lease."""

_TOLD: Final = 8
"""What it costs to tell a consumer that a lease is void."""


class Dispatch:
    """Every command ends in finish(), which says what is to be written and hands out what can be.

    ``changed`` is what has to be written.
    """

    def __init__(self, leases: Leases) -> None:
        self.leases = leases
        self.changed = Changed()
        self.retries = Retries()
        self.chores = Chores()

    def begin(self, chores: Sequence[Chore]) -> Effects:
        """Do large work: some now, the rest in other turns of the event loop."""
        is_busy = bool(self.chores)
        self.chores.add(chores)
        return [] if is_busy else self._work()

    def _work(self) -> Effects:
        chores = self.chores
        chores.step()
        effects = [*chores.effects, *self.finish(chores.outcome)]
        return [*effects, Later(self._work)] if chores else effects

    def finish(self, outcome: Outcome) -> Effects:
        """What follows from what was touched."""
        effects: Effects = []
        for backlog in outcome.changed:
            self.changed.add(backlog.ledger)
            effects.append(StateChanged(backlog.partition.groups_log))
        for backlog, noted in outcome.withheld.items():
            then = partial(self._noted, outcome.touched[backlog], backlog, noted)
            effects.append(WhenDurable(backlog.partition.groups_log, then))
        for backlog, group in outcome.touched.items():
            group.wake_backlog(backlog)
        for group in dict.fromkeys([*outcome.touched.values(), *outcome.left]):
            self.pump(group, effects)
        for backlog in outcome.touched:
            if not backlog.damage:
                effects += backlog.supply.wanted()
        return effects

    def _noted(self, group: QueueGroup, backlog: Backlog, noted: Noted) -> Effects:
        """The disk knows what has happened to these records: they may come back."""
        outcome = Outcome()
        outcome.touch(group, backlog)
        for offset, trouble in noted:
            known = backlog.ledger.troubles.get(offset)
            if known is trouble and trouble.place is Place.WITHHELD:
                self.retries.wait(group, backlog, offset, trouble)
        return self.finish(outcome)

    def pump(self, group: QueueGroup, effects: Effects) -> None:
        """Hand out what there is to who can take it."""
        while (match := group.next_match()) is not None:
            consumer, backlog = match
            self._hand_out(group, consumer, backlog, effects)

    def _hand_out(
        self, group: QueueGroup, consumer: Consumer, backlog: Backlog, effects: Effects
    ) -> None:
        sharers = 1 if group.terms.policy.single_active else group.with_credit + 1
        share = -(-backlog.ready // sharers)
        limit = min(max(share, 1), consumer.credit_records, RECORDS_MAX)
        portion = backlog.supply.take(limit, fresh=backlog.takes_fresh)
        if portion is None:
            group.wake_consumer(consumer)
            return
        effects += backlog.supply.wanted()
        held = self.leases.grant(group, backlog, consumer, portion)
        policy = group.terms.policy
        effects.append(
            DeliverLease(
                consumer.key,
                backlog.partition.log,
                held.lease.lease_id,
                held.lease.runs,
                held.lease.lease_s,
                portion.failures,
                portion.crashes,
                portion.deliveries,
                min(consumer.credit_bytes, DELIVERY_BYTES_MAX),
                0 if portion.replayed else policy.max_age_ms,
                portion.replayed,
            )
        )

    def sent(self, held: Held, upto: int, now: float, outcome: Outcome) -> None:
        """A lease was sent as far as ``upto``: its time begins, and the next one may be made."""
        lease, group, backlog, consumer = held
        group.end_sending(consumer, backlog, lease.lease_id)
        self.unsent(held, upto)
        if lease.open:
            self.leases.set_deadline(held, now + lease.lease_s)
        outcome.touch(group, backlog)

    def unsent(self, held: Held, upto: int) -> None:
        """Records from ``upto`` on were not sent: they are ready as if nothing had been."""
        lease = held.lease
        last = lease.runs[-1][1]
        for run in lease.take(upto, last) if upto < last else ():
            self.give_back(held, run, lease.deliveries)

    def give_back(self, held: Held, run: Run, deliveries: int) -> None:
        """What was let go of a lease is ready again."""
        lease, _, backlog, _ = held
        first, end = run
        backlog.leased -= end - first
        if not lease.troubled:
            backlog.supply.give_back(first, end, deliveries)
            return
        for offset in range(first, end):
            trouble = backlog.ledger.troubles[offset]
            trouble.place = Place.READY
            trouble.deliveries = deliveries
            backlog.supply.ready(offset)

    def take_back(self, held: Held, reason: str, effects: Effects) -> None:
        """Tell a consumer that what it still holds of a lease is its no more."""
        runs = held.lease.open_runs()
        tokens = [(held.lease.lease_id, first, end - first) for first, end in runs]
        effects.append(TakeBack(held.consumer.key, tokens, reason))

    def void(self, group: QueueGroup, backlog: Backlog, reason: str) -> Chore:
        """All leases of a partition are void from now on, and what was leased is forgotten; the
        chore, which is to begin, tells the consumers."""
        sending = self.leases.get(backlog.sending) if backlog.sending is not None else None
        if sending is not None:
            group.end_sending(sending.consumer, backlog, sending.lease.lease_id)
            group.wake_consumer(sending.consumer)
        return self._tell_void(self.leases.void(backlog), reason)

    def _tell_void(self, voided: Iterable[Held], reason: str) -> Chore:
        for held in voided:
            self.take_back(held, reason, self.chores.effects)
            self.leases.drop(held)
            yield _TOLD
