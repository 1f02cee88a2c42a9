"""What a queue group has promised, held against what its consumers have seen.

A message's counts come with its next delivery, or with its death. So each delivery is followed by
known counts, and what came of it allows only some: see _changes().
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import tapemq
from tests.support.crash.queue.journal import Delivery, History, Place

Counts = tuple[int, int]
"""Failures and crashes."""

REJECTED: Final = "unfit"
CRASHED: Final = "crashed"


@dataclass
class Ending:
    """What the broker says when all is done.

    ``published``: all records. ``unsettled``: how many records of each partition are not settled.
    """

    published: set[Place]
    max_attempts: int
    unsettled: dict[int, int] = field(default_factory=dict)
    dead: dict[Place, tapemq.DeadRecord] = field(default_factory=dict)


@dataclass
class Verdict:
    """What is wrong. ``exact``: how many counts could be but one; of ``counted`` in all."""

    complaints: list[str] = field(default_factory=list)
    exact: int = 0
    counted: int = 0


def judge(history: History, ending: Ending) -> Verdict:
    """Hold everything against the promises."""
    return _Judge(history, ending).judge()


class _Judge:
    def __init__(self, history: History, ending: Ending) -> None:
        self._history = history
        self._ending = ending
        self._verdict = Verdict()

    def judge(self) -> Verdict:
        self._verdict.complaints += [*self._wholes(), *self._records()]
        return self._verdict

    def _wholes(self) -> Iterator[str]:
        for partition, count in self._ending.unsettled.items():
            if count:
                yield f"unsettled: {count} records of partition {partition}"
        for place in self._history.deliveries.keys() - self._ending.published:
            yield f"phantom: {place} was delivered, and never published"
        for place in self._ending.dead.keys() - self._ending.published:
            yield f"phantom: {place} is dead, and was never published"

    def _records(self) -> Iterator[str]:
        for place in sorted(self._ending.published):
            deliveries = self._history.deliveries.get(place, [])
            for complaint in (*self._path(deliveries), *self._end(place, deliveries)):
                yield f"{complaint}: {place}\n{_told(deliveries, self._history)}"

    def _path(self, deliveries: list[Delivery]) -> Iterator[str]:
        """What is wrong with how it was delivered."""
        if deliveries and deliveries[0].counts != (0, 0):
            yield "miscounted: the first delivery had counts already"
        for delivery in deliveries:
            if self._is_exhausted(delivery.counts):
                yield "overdue: delivered after its last attempt"
        for delivery, later in pairwise(deliveries):
            restarted = delivery.boot_epoch != later.boot_epoch
            if self._is_final(delivery, restarted):
                yield f"redelivered: it was settled by {delivery.verb}"
            elif not self._fits(delivery, later.counts, restarted):
                yield f"miscounted: {delivery.counts} became {later.counts}"

    def _end(self, place: Place, deliveries: list[Delivery]) -> Iterator[str]:
        """What is wrong with how it ended."""
        dead = self._ending.dead.get(place)
        last = deliveries[-1] if deliveries else None
        if dead is None:
            if last is not None and last.verb == "reject" and last.confirmed:
                yield "alive: it was rejected, and is not dead"
            elif last is None or last.verb != "ack":
                yield "lost: settled, though nobody has acked it"
        elif last is None:
            yield "dead: it was never delivered"
        else:
            yield from self._death(last, dead)

    def _death(self, last: Delivery, dead: tapemq.DeadRecord) -> Iterator[str]:
        counts = (dead.failures, dead.crashes)
        if last.verb == "ack" and last.confirmed:
            yield "dead: it was acked"
        elif last.verb == "reject" and dead.reason == REJECTED:
            if counts != last.counts:
                yield f"miscounted: {last.counts} became {counts} by a rejection"
        elif not self._is_exhausted(counts):
            yield f"dead: after {sum(counts)} attempts, of {dead.reason!r}"
        elif not self._fits(last, counts, restarted=False):
            yield f"miscounted: {last.counts} became {counts} in death"
        elif (counts[1] > last.crashes) != (dead.reason == CRASHED):
            yield f"dead: the reason {dead.reason!r} is wrong"

    def _is_exhausted(self, counts: Counts) -> bool:
        return 0 < self._ending.max_attempts <= sum(counts)

    def _is_final(self, delivery: Delivery, restarted: bool) -> bool:
        """Whether it must not come again."""
        survived = not restarted and delivery.life not in self._history.kills
        return delivery.verb in ("ack", "reject") and (delivery.confirmed or survived)

    def _fits(self, delivery: Delivery, later: Counts, restarted: bool) -> bool:
        allowed = _changes(delivery, delivery.life in self._history.kills, restarted)
        self._verdict.counted += 1
        self._verdict.exact += len(allowed) == 1
        return (later[0] - delivery.failures, later[1] - delivery.crashes) in allowed


def _changes(delivery: Delivery, killed: bool, restarted: bool) -> set[Counts]:
    """What may have been added to the counts of a delivery that was not the last.

    ``killed``: its consumer. ``restarted``: the broker, before the next delivery.
    """
    verb = delivery.verb
    if delivery.confirmed:
        return {(1, 0)} if verb == "nack" else {(0, 0)}
    allowed: set[Counts] = set()
    if verb == "nack":
        allowed.add((1, 0))
    if killed:
        allowed.add((0, 1))
    if (
        restarted  # what was not confirmed may have died with the broker
        or verb == "release"
        or (killed and not delivery.told)  # it ended in the turn in which it had to tell
        or (not killed and not verb)  # left in peace, which gives back
    ):
        allowed.add((0, 0))
    return allowed


def _told(deliveries: Iterable[Delivery], history: History) -> str:
    return "\n".join(
        f"    {delivery} killed: {history.kills.get(delivery.life)}" for delivery in deliveries
    )
