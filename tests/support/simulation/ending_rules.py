"""Rules on what has come of each record of a queue group at the end, whatever operators did to it.

A call of an operator without an answer may have been carried out, or not, or still be. So it
excuses much; but what was answered is on disk, and holds from then on.
"""

from collections import defaultdict
from collections.abc import Iterator
from math import inf

from tests.support.simulation.history import History, Intervention, LogName, Outcome, Place
from tests.support.simulation.interventions import Interventions
from tests.support.simulation.work_rules import (
    by_record,
    listed_dead,
    may_die,
    may_settle,
    was_gone,
)


class _Ends:
    """What may have come of records."""

    def __init__(self, history: History) -> None:
        self.works = by_record(history)
        self.interventions = Interventions(history)
        self._history = history
        self._listed = listed_dead(history)

    def is_settled(
        self, group: str, place: Place, since_s: float = -inf, by: Intervention | None = None
    ) -> bool:
        """The group may be done with the record, and not from before the intervention alone."""
        history, key = self._history, (group, place)
        works = (
            work
            for work in self.works.get(key, ())
            if self.interventions.granted_by(work) > since_s
        )
        return (
            key in self._listed
            or was_gone(history, group, place)
            # Whoever died is listed, if the list is known.
            or any(
                (work.verb == "ack" and may_settle(work))
                or (group not in history.dead and may_die(history, work))
                for work in works
            )
            or any(self.interventions.settling(group, place, since_s, besides=by))
        )


def unworked(history: History) -> Iterator[str]:
    """A record was never settled, though the group was drained at the end, and holds it."""
    ends = _Ends(history)
    known: defaultdict[tuple[str, LogName], set[int]] = defaultdict(set)
    for group, place in ends.works:
        known[group, place.log].add(place.offset)
    for (group, log), offsets in known.items():
        # Also what retention has removed since the group came.
        for offset in range(min(offsets), history.first_offsets.get(log, 0)):
            place = Place(*log, offset)
            if group in history.queues and not ends.is_settled(group, place):
                yield f"{group} has not settled {place}, which is removed"
    for group, topic in history.queues.items():
        for place, _ in history.final_places():
            if place.topic == topic and not ends.is_settled(group, place):
                yield f"{group} has not settled {place}"


def unrevived(history: History) -> Iterator[str]:
    """A dead record that was redriven is not settled since: it never came again, or in vain."""
    ends = _Ends(history)
    for one in ends.interventions.made("redrive"):
        for place in sorted(one.places) if one.group in history.queues else ():
            if not ends.is_settled(one.group, place, one.looked_s, one):
                yield f"{one.group} has not settled {place}, redriven at {one.done_s:.6f} s"


def unsought(history: History) -> Iterator[str]:
    """A record at the offset to which a group was sought, or behind it, is not settled since."""
    ends = _Ends(history)
    for one in ends.interventions.made("seek"):
        for place, _ in history.final_places() if one.group in history.queues else ():
            is_behind = place.log == one.log and place.offset >= one.high
            if is_behind and not ends.is_settled(one.group, place, one.invoked_s, one):
                yield (
                    f"{one.group} has not settled {place}, sought to {one.high} at most at "
                    f"{one.done_s:.6f} s"
                )


def undiscarded(history: History) -> Iterator[str]:
    """A dead record that was discarded comes again, and no operator has sought back to it."""
    ends = _Ends(history)
    for one in ends.interventions.made("discard"):
        for place in sorted(one.places):
            if not ends.interventions.were_dead(one, place):
                continue
            works = ends.works.get((one.group, place), [])
            died_in = max((w.lease_id for w in works if w.at_s <= one.invoked_s), default=inf)
            for work in works:
                if work.lease_id > died_in and not ends.interventions.revived(
                    work, one.looked_s, was_dead=False
                ):
                    yield (
                        f"{place} came to {work.worker} of {one.group} at {work.at_s:.6f} s in "
                        f"lease {work.lease_id:#x}, discarded at {one.done_s:.6f} s"
                    )
                    break


def misreported(history: History) -> Iterator[str]:
    """An operator is told of more dead records, or fewer, than there were to change."""
    interventions = Interventions(history)
    for one in (*interventions.made("redrive"), *interventions.made("discard")):
        least = sum(interventions.were_dead(one, place) for place in one.places)
        if not least <= one.affected <= (inf if one.every else len(one.places)):
            yield (
                f"{one.affected} dead records of {one.group} were changed at {one.done_s:.6f} s "
                f"by a {one.verb}, of {least} to {len(one.places)}"
            )


def misnumbered(history: History) -> Iterator[str]:
    """A group says that it has more dead records than it lists, or fewer."""
    late = {
        one.group for one in history.interventions if one.outcome is not Outcome.OK
    }  # it may come between
    for group, count in history.dead_counts.items():
        listed = history.dead.get(group, [])
        if count != len(listed) and group not in late:
            yield f"{group} has {count} dead records, and lists {len(listed)}"
