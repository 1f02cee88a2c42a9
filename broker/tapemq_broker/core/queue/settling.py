"""What becomes of leased records: done, failed, dead, gone, or ready again."""

from collections.abc import Iterable
from typing import NamedTuple

from tapemq_broker.core.queue.dead import Dead
from tapemq_broker.core.queue.dispatch import Dispatch
from tapemq_broker.core.queue.lease import Run, size
from tapemq_broker.core.queue.leases import Held
from tapemq_broker.core.queue.outcome import Outcome
from tapemq_broker.core.queue.trouble import (
    ERROR_BYTES_MAX,
    REASON_BYTES_MAX,
    Place,
    Trouble,
    shortened,
)
from tapemq_broker.core.queue.verb import Verb

_CRASHED = "crashed"
_FAILED = "failed"
_REJECTED = "rejected"
_TOO_OLD = "too_old"
_EXPIRED = "expired"


class Failure(NamedTuple):
    """What is said of records that failed. ``delay_ms`` None: as the group's policy has it."""

    now_us: int
    delay_ms: int | None = None
    reason: str = ""
    error: str = ""
    crashed: bool = False


class Settling:
    """Every function is told of runs that a lease has let go of."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    def apply(self, verb: Verb, held: Held, run: Run, why: Failure, outcome: Outcome) -> None:
        """Carry a verb out."""
        if verb is Verb.ACK:
            held.backlog.totals.acked += self.done(held, run, outcome)
        elif verb is Verb.RELEASE:
            self._dispatch.give_back(held, run, held.lease.deliveries + 1)
            outcome.touch(held.group, held.backlog)
        else:
            held.backlog.totals.failed += run[1] - run[0]
            for offset in range(*run):
                if verb is Verb.NACK:
                    self._fail(held, offset, why, outcome)
                else:
                    reason = why.reason or _REJECTED
                    self._die(held, offset, why._replace(reason=reason), outcome)

    def done(self, held: Held, run: Run, outcome: Outcome) -> int:
        """Nothing more is to be done with records; how many they are."""
        lease, group, backlog, _ = held
        first, end = run
        backlog.leased -= end - first
        if lease.troubled:
            backlog.ledger.settle_troubled(first, end)
        else:
            backlog.ledger.settled.add(first, end)
        backlog.supply.settled(first, end)
        if backlog not in outcome.changed:
            outcome.change(group, backlog)
        return end - first

    def unsendable(
        self,
        held: Held,
        absent: Iterable[Run],
        expired: Iterable[Run],
        too_old: Iterable[Run],
        now_us: int,
        outcome: Outcome,
    ) -> None:
        """Records were not sent, because they are not in the log, or too old."""
        totals, policy = held.backlog.totals, held.group.terms.policy
        gone, late = _taken(held, absent), _taken(held, expired)
        totals.gone += size(gone)
        totals.expired += size(late)
        for run in [*gone, *([] if policy.expire_dead else late)]:
            self.done(held, run, outcome)
        old = _taken(held, too_old)
        for reason, runs in ((_EXPIRED, late if policy.expire_dead else []), (_TOO_OLD, old)):
            for offset in (offset for run in runs for offset in range(*run)):
                self._die(held, offset, Failure(now_us, reason=reason), outcome)

    def lost(self, held: Held, now_us: int, outcome: Outcome) -> None:
        """A consumer has lost a lease: what it had begun with has crashed, the rest is ready."""
        for run in held.lease.take_started():
            crash = Failure(now_us, reason=_CRASHED, crashed=True)
            held.backlog.totals.crashed += run[1] - run[0]
            for offset in range(*run):
                self._fail(held, offset, crash, outcome)
        self.release_all(held, outcome)

    def release_all(self, held: Held, outcome: Outcome) -> None:
        """All that is left of a lease is ready again."""
        outcome.touch(held.group, held.backlog)
        for run in held.lease.open_runs():
            self._dispatch.give_back(held, run, held.lease.deliveries + 1)
        held.lease.open = 0

    def _fail(self, held: Held, offset: int, why: Failure, outcome: Outcome) -> None:
        """A record comes back later, once the disk knows of it; or it is dead."""
        lease, group, backlog, _ = held
        trouble = backlog.ledger.trouble(offset)
        _note(trouble, why)
        trouble.deliveries = lease.deliveries + 1
        policy = group.terms.policy
        attempts = trouble.failures + trouble.crashes
        if policy.max_attempts and attempts >= policy.max_attempts:
            self._die(held, offset, why._replace(reason=why.reason or _FAILED), outcome)
            return
        delay_ms = why.delay_ms
        if delay_ms is None and not why.crashed:
            delay_ms = policy.retry_delay_ms(backlog.partition.log, offset, trouble.failures)
        trouble.not_before_us = why.now_us + delay_ms * 1000 if delay_ms else 0
        trouble.place = Place.WITHHELD
        backlog.leased -= 1
        backlog.waiting += 1
        backlog.supply.stepped_aside(offset)
        outcome.withhold(group, backlog, offset, trouble)

    def _die(self, held: Held, offset: int, why: Failure, outcome: Outcome) -> None:
        """A record is settled, and kept in mind as dead."""
        ledger = held.backlog.ledger
        trouble = ledger.troubles.get(offset) or Trouble()
        dead = Dead(
            shortened(why.reason, REASON_BYTES_MAX),
            shortened(why.error or trouble.error, ERROR_BYTES_MAX),
            trouble.failures,
            trouble.crashes,
            trouble.replays,
            why.now_us,
            trouble.first_failure_us,
            trouble.last_us,
        )
        held.backlog.leased -= 1
        ledger.bury(offset, dead)
        held.backlog.supply.settled(offset, offset + 1)
        outcome.change(held.group, held.backlog)


def _note(trouble: Trouble, why: Failure) -> None:
    if why.crashed:
        # A crash says nothing for itself: what the last failure said is all that there is to find.
        before = "" if trouble.reason == _CRASHED else trouble.reason
        trouble.crashes += 1
        trouble.error = trouble.error or before
    else:
        trouble.failures += 1
        trouble.error = shortened(why.error, ERROR_BYTES_MAX)
    trouble.first_failure_us = trouble.first_failure_us or why.now_us
    trouble.last_us = why.now_us
    trouble.reason = shortened(why.reason, REASON_BYTES_MAX)


def _taken(held: Held, runs: Iterable[Run]) -> list[Run]:
    return [taken for run in runs for taken in held.lease.take(*run)]
