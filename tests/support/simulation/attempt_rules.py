"""Rules on the attempts of a record: its failures and crashes, which end it where there is a limit.

Counts are on disk before the delivery that tells them. So what a worker was told stays true across
restarts, and is what the record's next end is counted from. An operator may let all that be
forgotten.
"""

from collections.abc import Iterator
from itertools import pairwise
from operator import lt

from tests.support.simulation.history import History, Outcome, Work
from tests.support.simulation.interventions import Interventions
from tests.support.simulation.work_rules import by_record, last_deaths, may_be_last, may_die


def undead(history: History) -> Iterator[str]:
    """A record comes again that has failed or crashed as often as it may."""
    for work in history.works:
        terms = history.terms.get(work.group)
        attempts = work.failures + work.crashes
        if terms is not None and 0 < terms.max_attempts <= attempts:
            yield (
                f"{work.place} came to {work.worker} of {work.group} at {work.at_s:.6f} s after "
                f"{attempts} attempts; {terms.max_attempts} are all that it has"
            )


def recounted(history: History) -> Iterator[str]:
    """Failures or crashes of which somebody was told are forgotten, and no operator wanted it."""
    interventions = Interventions(history)
    for (group, place), works in by_record(history).items():
        for before, work in pairwise(works):
            told, found = (before.failures, before.crashes), (work.failures, work.crashes)
            since_s, was_dead = interventions.granted_after(before), may_die(history, before)
            is_less = any(map(lt, found, told))
            if is_less and not interventions.revived(work, since_s, was_dead=was_dead):
                yield (
                    f"{place} came to {work.worker} of {group} at {work.at_s:.6f} s as failed "
                    f"{work.failures} times and crashed {work.crashes} times; it had been "
                    f"{before.failures} and {before.crashes}"
                )
                break


def misfiled(history: History) -> Iterator[str]:
    """A dead record's reason or counts are not those that its last attempt left."""
    works, interventions = by_record(history), Interventions(history)
    for group, dead in history.dead.items():
        for record in dead:
            handed = works.get((group, record.place), [])
            last = last_deaths(history, interventions, handed)
            ends = {end for work in last for end in _ends(history, work)}
            found = record.reason, record.failures, record.crashes
            if ends and found not in ends:  # of what did not die, unburied says so
                yield f"{group} lists {record.place} as {found}; it may be {sorted(ends)}"


def _ends(history: History, work: Work) -> Iterator[tuple[str, int, int]]:
    """How the record may have died here: the reason, its failures and crashes."""
    failures, crashes = work.failures, work.crashes
    if work.verb == "reject" and work.outcome is not Outcome.FAILED:
        yield "rejected", failures, crashes
    if may_be_last(history, work):
        if work.verb == "nack" and work.outcome is not Outcome.FAILED:
            yield "failed", failures + 1, crashes
        if work.outcome is not Outcome.OK:
            yield "crashed", failures, crashes + 1
