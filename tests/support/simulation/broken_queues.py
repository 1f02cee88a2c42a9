"""Brokers whose queue groups forget, hurry or pass over records, or change them as nobody meant."""

from typing import Any

import pytest

from tapemq_broker.core import effects as e
from tapemq_broker.core.queue import administration, dead_letters
from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.dead import Dead
from tapemq_broker.core.queue.dead_letters import DeadLetters
from tapemq_broker.core.queue.lanes import Lanes
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.queues import Queues
from tapemq_broker.core.queue.retries import Retries
from tapemq_broker.core.queue.settling import Settling
from tapemq_broker.core.queue.trouble import Place, Trouble
from tapemq_broker.core.results import Affected

Patch = pytest.MonkeyPatch


def pass_over_leased_records(patch: Patch) -> None:
    sent = Queues.lease_sent

    def lose(queues: Queues, delivery: e.DeliverLease, **report: Any) -> e.Effects:
        first = delivery.runs[0][0]
        if first % 10 == 9:
            report["absent"] = [(first, first + 1)]
        return sent(queues, delivery, **report)

    patch.setattr(Queues, "lease_sent", lose)


def retry_at_once(patch: Patch) -> None:
    wait = Retries.wait

    def hurry(self: Retries, group: Any, backlog: Any, offset: int, trouble: Any) -> None:
        trouble.not_before_us = 0
        wait(self, group, backlog, offset, trouble)

    patch.setattr(Retries, "wait", hurry)


def let_others_pass_what_failed(patch: Patch) -> None:
    patch.setattr(Lanes, "_policy_parks", True)


def forget_the_dead(patch: Patch) -> None:
    def settle(self: Settling, held: Any, offset: int, why: Any, outcome: Any) -> None:
        self.done(held, (offset, offset + 1), outcome)

    patch.setattr(Settling, "_die", settle)


def change(patch: Patch, *, lives: bool) -> None:
    """Whatever an operator says."""
    good = DeadLetters._change
    patch.setattr(
        *(DeadLetters, "_change"),
        lambda self, task, *rest: good(self, task._replace(lives=lives), *rest),
    )


def discard_what_is_redriven(patch: Patch) -> None:
    change(patch, lives=False)


def redrive_what_is_discarded(patch: Patch) -> None:
    change(patch, lives=True)


def redrive_the_one_in_front_too(patch: Patch) -> None:
    good = DeadLetters._change

    def go_too_far(self: DeadLetters, task: Any, offset: int, number: int, outcome: Any) -> None:
        good(self, task, offset, number, outcome)
        ledger: Ledger = task.backlog.ledger
        if task.lives and offset and not ledger.is_unsettled(offset - 1):
            trouble = ledger.trouble(offset - 1)
            trouble.place = Place.WITHHELD
            ledger.revived.add(offset - 1)
            task.backlog.waiting += 1
            outcome.withhold(task.group, task.backlog, offset - 1, trouble)

    patch.setattr(DeadLetters, "_change", go_too_far)


def write_nothing_of_what_lives_again(patch: Patch) -> None:
    revive = Ledger.revive

    def forget(self: Ledger, offset: int, not_before_us: int) -> Trouble:
        trouble = revive(self, offset, not_before_us)
        self._changed_troubles.discard(offset)
        return trouble

    patch.setattr(Ledger, "revive", forget)


def write_nothing_of_what_is_discarded(patch: Patch) -> None:
    forget_dead = Ledger.forget_dead

    def forget(self: Ledger, offset: int) -> Dead:
        dead = forget_dead(self, offset)
        self._changed_dead.discard(offset)
        return dead

    patch.setattr(Ledger, "forget_dead", forget)


def keep_counts_of_what_lives_again(patch: Patch) -> None:
    revive = Ledger.revive

    def keep(self: Ledger, offset: int, not_before_us: int) -> Trouble:
        failures = Dead.decode(self.dead[offset]).failures
        trouble = revive(self, offset, not_before_us)
        trouble.failures = failures
        return trouble

    patch.setattr(Ledger, "revive", keep)


def seek_too_far(patch: Patch) -> None:
    seek = Backlog.seek

    def go_too_far(self: Backlog, floor: int) -> None:
        seek(self, min(floor + 1, self.partition.durable_offset))

    patch.setattr(Backlog, "seek", go_too_far)


def seek_back_past_the_dead(patch: Patch) -> None:
    """They stay dead."""
    leave = Ledger._leave_to_purge

    def keep(self: Ledger, floor: int, troubles: Any) -> None:
        dead = self.dead_offsets.copy()
        leave(self, floor, troubles)
        self.dead_offsets |= dead
        self._stale_dead.clear()

    patch.setattr(Ledger, "_leave_to_purge", keep)


def count_too_much(patch: Patch) -> None:
    patch.setattr(dead_letters, "Affected", lambda records: Affected(records + 1))


def tell_of_no_dead(patch: Patch) -> None:
    describe = vars(administration)["describe"]
    patch.setattr(
        *(administration, "describe"),
        lambda group, backlog: describe(group, backlog)._replace(dead=0),
    )
