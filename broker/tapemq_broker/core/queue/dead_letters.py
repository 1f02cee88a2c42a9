"""Dead records: looked at, handed out again, or forgotten."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from pyroaring import BitMap64

from tapemq_broker.core.effects import Effects, Later, Reply, ReplyWhenDurable, Request, WhenDurable
from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.dead import Dead
from tapemq_broker.core.queue.dispatch import Dispatch
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.lease import Run
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.outcome import Outcome
from tapemq_broker.core.queue.trouble import Place
from tapemq_broker.core.refusal import Refusal, Refused
from tapemq_broker.core.results import Affected, DeadPage

PAGE_RECORDS: Final = 256
_AT_ONCE: Final = 1000
"""More are changed in steps, each of which is on disk before the next."""


class Choice(NamedTuple):
    """Which dead records: those in ``runs``, or of a reason, or both; or ``every`` one."""

    runs: Sequence[Run] = ()
    reason: str = ""
    every: bool = False

    def of(self, ledger: Ledger) -> BitMap64:
        """A set of their offsets. Raises Refused if nothing was chosen."""
        if not self.runs and not self.reason and not self.every:
            raise Refused("bad_request", "name offsets, or a reason, or say that you mean all")
        chosen = ledger.dead_of(self.reason).copy()
        if self.runs and chosen:
            # Runs may be far longer than a log: a set of all their offsets would take gigabytes.
            lowest, behind = chosen.min(), chosen.max() + 1
            within = BitMap64()
            for first, end in self.runs:
                within.add_range(max(first, lowest), min(end, behind))
            chosen &= within
        return chosen


class _Task(NamedTuple):
    """Dead records to do something with; the first ones are done already.

    ``request`` None: who asked for it waits no more.
    """

    request: Request | None
    group: QueueGroup
    backlog: Backlog
    offsets: BitMap64
    lives: bool
    now_us: int = 0
    rate_per_s: int = 0
    done: int = 0


class DeadLetters:
    """Commands on the dead records of a group on a partition."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    def page(self, request: Request, ledger: Ledger, after: int, reason: str) -> Effects:
        """Some dead records, from the offset ``after`` on."""
        offsets = ledger.dead_of(reason)
        some = list(islice(offsets.iter_equal_or_larger(after), PAGE_RECORDS + 1))
        page = some[:PAGE_RECORDS]
        records = [{"offset": at, **_fields(ledger.dead[at])} for at in page]
        more = len(some) > PAGE_RECORDS
        next_offset = page[-1] + 1 if page else after
        return [Reply(request, DeadPage(records, next_offset, more))]

    def count(self, request: Request, ledger: Ledger, choice: Choice) -> Effects:
        """How many are meant."""
        return [Reply(request, Affected(len(choice.of(ledger))))]

    def redrive(
        self,
        request: Request,
        group: QueueGroup,
        backlog: Backlog,
        choice: Choice,
        *,
        now_us: int,
        rate_per_s: int,
    ) -> Effects:
        """Let dead records live again, so many in a second (0: at once)."""
        offsets = choice.of(backlog.ledger)
        return self._step(_Task(request, group, backlog, offsets, True, now_us, rate_per_s))

    def discard(
        self, request: Request, group: QueueGroup, backlog: Backlog, choice: Choice
    ) -> Effects:
        """Forget that records are dead: they stay settled."""
        return self._step(_Task(request, group, backlog, choice.of(backlog.ledger), False))

    def _step(self, task: _Task) -> Effects:
        ledger, done = task.backlog.ledger, task.done
        if task.backlog.is_closed:  # before all else: nothing of it is purged any more
            gone = Refusal("unknown_group", f"group {task.group.name!r} was deleted")
            return [Reply(task.request, gone)] if task.request is not None else []
        if ledger.purge_from is not None:
            return [self._behind_seek(task)]
        outcome = Outcome()
        some = list(islice(task.offsets, _AT_ONCE))
        for offset in some:
            if offset in ledger.dead_offsets:
                self._change(task, offset, done, outcome)
                done += 1
        effects = self._dispatch.finish(outcome)
        if len(some) < len(task.offsets):
            task.offsets.remove_range(0, some[-1] + 1)
            return [*effects, _when_durable(self._step, task._replace(done=done))]
        if task.request is not None:
            log = ledger.partition.groups_log
            effects.append(ReplyWhenDurable(log, None, task.request, Affected(done)))
        return effects

    def _behind_seek(self, task: _Task) -> WhenDurable:
        """A seek has come between: go on behind its next step.

        That takes place at the same news of durability, maybe later than this, hence the turn.
        """
        return _when_durable(lambda rest: [Later(partial(self._step, rest))], task)

    def _change(self, task: _Task, offset: int, number: int, outcome: Outcome) -> None:
        backlog = task.backlog
        outcome.change(task.group, backlog)
        if not task.lives:
            backlog.ledger.forget_dead(offset)
            return
        wait_us = number * 1_000_000 // task.rate_per_s if task.rate_per_s else 0
        # 0: at once, also after a start at which the clock has been set back.
        trouble = backlog.ledger.revive(offset, task.now_us + wait_us if wait_us else 0)
        trouble.place = Place.WITHHELD
        backlog.waiting += 1
        outcome.withhold(task.group, backlog, offset, trouble)


def _when_durable(go_on: Callable[[_Task], Effects], task: _Task) -> WhenDurable:
    unasked = partial(go_on, task._replace(request=None))
    log = task.backlog.partition.groups_log
    return WhenDurable(log, partial(go_on, task), task.request, unasked)


def _fields(data: bytes) -> dict[str, int | str]:
    return dict(Dead.decode(data)._asdict())
