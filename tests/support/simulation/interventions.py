"""What operators may have done to a record of a queue group, and when, as far as anybody can tell.

A call takes effect between its beginning and its answer; one without an answer may do so at any
time since, or never. When a lease was granted is known from the workers: lease ids rise, so a lease
is no older than the queue of any in front of it, and no younger than the first sight of any behind.
"""

from collections import defaultdict
from collections.abc import Iterator
from math import inf

from tests.support.simulation.history import History, Intervention, Outcome, Place, Work


class Interventions:
    """Those of a history, beside its leases."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._of: defaultdict[str, list[Intervention]] = defaultdict(list)
        for one in history.interventions:
            self._of[one.group].append(one)
        self._granted_after: dict[int, float] = {}
        self._granted_by: dict[int, float] = {}
        works = sorted(history.works, key=lambda work: work.lease_id)
        after_s, by_s = -inf, inf
        for work in works:
            after_s = self._granted_after[work.lease_id] = max(after_s, work.opened_s)
        for work in reversed(works):
            by_s = self._granted_by[work.lease_id] = min(by_s, work.at_s)

    # Leases

    def granted_after(self, work: Work) -> float:
        """The lease was granted no sooner."""
        return self._granted_after[work.lease_id]

    def granted_by(self, work: Work) -> float:
        """The lease was granted no later."""
        return self._granted_by[work.lease_id]

    def first_lease_after(self, time_s: float) -> float:
        """The lowest id of a lease that may have been granted since; infinite if there is none."""
        return min((one for one, by_s in self._granted_by.items() if by_s >= time_s), default=inf)

    # What was done

    def made(self, verb: str) -> Iterator[Intervention]:
        """Those that were answered."""
        for one in self._history.interventions:
            if one.verb == verb and one.outcome is Outcome.OK:
                yield one

    def revived(self, work: Work, since_s: float, *, was_dead: bool) -> bool:
        """The record may have been made one that is to be handled, after that time and before it
        came in this lease: by a seek, or by a redrive if it was dead."""
        return any(
            one.verb in ("seek", "redrive" if was_dead else "seek")
            and _may_undo(one, work.place)
            and one.done_s >= since_s
            and one.invoked_s <= self.granted_by(work)
            for one in self._of[work.group]
        )

    def undone(self, group: str, place: Place, since_s: float) -> bool:
        """A record that was dead then may be so no more."""
        return any(_may_undo(one, place) and one.done_s >= since_s for one in self._of[group])

    def undone_s(self, group: str, place: Place) -> float:
        """When it was made sure last that the record is not dead, or later."""
        return max((one.invoked_s for one in self._of[group] if _undoes(one, place)), default=-inf)

    def settling(
        self,
        group: str,
        place: Place,
        since_s: float = -inf,
        *,
        besides: Intervention | None = None,
    ) -> Iterator[Intervention]:
        """What may have settled the record after that time: it is skipped, or discarded."""
        for one in self._of[group]:
            if one is not besides and one.done_s >= since_s and _may_settle(one, place):
                yield one

    def were_dead(self, call: Intervention, place: Place) -> bool:
        """Certainly, when an operator came to what had been listed: the broker has not ended since,
        and no call is left without an answer that may have come between."""
        went_on = any(
            up_s <= call.looked_s and call.done_s <= down_s for up_s, down_s in self._history.up
        )
        return went_on and not any(
            other.outcome is not Outcome.OK
            and other.invoked_s <= call.done_s
            and _may_undo(other, place)
            for other in self._of[call.group]
        )


def _names(one: Intervention, place: Place) -> bool:
    return one.every or place in one.places


def _may_undo(one: Intervention, place: Place) -> bool:
    """If the record was dead, or settled in another way (seek), it may not be any more."""
    if one.verb == "seek":
        return one.log == place.log and one.low <= place.offset
    return _names(one, place)


def _undoes(one: Intervention, place: Place) -> bool:
    """The record is certainly not dead when this is done."""
    is_meant = one.high <= place.offset if one.verb == "seek" else _names(one, place)
    return one.outcome is Outcome.OK and is_meant and one.log in (None, place.log)


def _may_settle(one: Intervention, place: Place) -> bool:
    """The group may be done with the record, though nobody has acked it."""
    if one.verb == "seek":
        return one.log == place.log and place.offset < one.high
    return one.verb == "discard" and _names(one, place)
