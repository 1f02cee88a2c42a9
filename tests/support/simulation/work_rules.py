"""Rules on what queue groups hand out, and what becomes of settlements.

A record is in one lease at a time, and lease ids rise. So what was settled under one lease, and
confirmed, must not be seen under a later one: no clock is needed to say so. Operators may let
records live again; what they cannot have done in between excuses nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import product, zip_longest
from math import inf
from typing import Final

from tests.support.simulation.history import History, Intervention, LogName, Outcome, Place, Work
from tests.support.simulation.interventions import Interventions

RETRY_JITTER: Final = 0.25
"""By how much of it a delay may be shorter or longer than the group's settings say."""

Key = tuple[str, Place]
_FINAL = ("ack", "reject")


def settled_again(history: History) -> Iterator[str]:
    """A record comes again after a confirmed ack, or when it is dead, and no operator wanted it."""
    interventions = Interventions(history)
    for (group, place), works in by_record(history).items():
        final = [work for work in works if work.verb in _FINAL and work.outcome is Outcome.OK]
        for end, work in product(final, works):
            is_later, was_dead = work.lease_id > end.lease_id, end.verb == "reject"
            if is_later and not interventions.revived(work, end.said_s, was_dead=was_dead):
                yield (
                    f"{place} came to {work.worker} of {group} at {work.at_s:.6f} s in lease "
                    f"{work.lease_id:#x}; {end.worker} had confirmed its {end.verb} of "
                    f"lease {end.lease_id:#x} at {end.done_s:.6f} s"
                )
                break


def miscounted(history: History) -> Iterator[str]:
    """A record's failures or crashes are more or fewer than there were in this life of it."""
    interventions = Interventions(history)
    for (group, place), works in by_record(history).items():
        for number, work in enumerate(works):
            before = _of_this_life(history, works[:number], work)
            nacked = [other for other in before if other.verb == "nack"]
            surely = sum(
                other.outcome is Outcome.OK
                and not _begun_anew(history, interventions, works, other, work)
                for other in nacked
            )
            perhaps = sum(other.outcome is not Outcome.FAILED for other in nacked)
            crashes = sum(other.outcome is not Outcome.OK for other in before)
            if not surely <= work.failures <= perhaps or work.crashes > crashes:
                yield (
                    f"{place} came to {work.worker} of {group} at {work.at_s:.6f} s as failed "
                    f"{work.failures} times ({surely} to {perhaps} are possible) and crashed "
                    f"{work.crashes} times (at most {crashes})"
                )
                break


def _of_this_life(history: History, works: list[Work], work: Work) -> list[Work]:
    """Those of earlier leases, since the record was certainly dead last."""
    before = [other for other in works if other.lease_id < work.lease_id]
    deaths = [n for n, other in enumerate(before, 1) if _surely_died(history, other)]
    return before[max(deaths, default=0) :]


def _begun_anew(
    history: History, interventions: Interventions, works: list[Work], failed: Work, work: Work
) -> bool:
    """What had failed may be forgotten: an operator has sought back, or redriven the record if it
    may have died meanwhile."""
    was_dead = any(
        may_die(history, other)
        for other in works
        if failed.lease_id <= other.lease_id < work.lease_id
    )
    return interventions.revived(work, failed.said_s, was_dead=was_dead)


def hasty(history: History) -> Iterator[str]:
    """A record comes again before the delay behind its failure is over."""
    interventions = Interventions(history)
    for (group, place), works in by_record(history).items():
        retry_s = history.terms[group].retry_s if group in history.terms else 0
        delay_s = int(1000 * retry_s * (1 - RETRY_JITTER)) / 1000  # whole milliseconds
        for nacked in works:
            if nacked.verb != "nack" or nacked.outcome is not Outcome.OK:
                continue
            for work in works:
                jumped = any(nacked.said_s <= jump_s <= work.at_s for jump_s in history.jumps)
                is_later = work.lease_id > nacked.lease_id
                if (
                    is_later
                    and not jumped
                    and work.at_s < nacked.said_s + delay_s
                    and not _begun_anew(history, interventions, works, nacked, work)
                ):
                    yield (
                        f"{place} came to {work.worker} of {group} at {work.at_s:.6f} s; it had "
                        f"failed at {nacked.said_s:.6f} s, and was to wait for {delay_s:.3f} s"
                    )


def overtaken(history: History) -> Iterator[str]:
    """With key lanes, a record comes before one of the same key in front of it is settled; or is
    settled again, after a seek."""
    keys = {publish.value: publish.key for publish in history.publishes if publish.key is not None}
    lanes: defaultdict[tuple[LogName, str], list[Place]] = defaultdict(list)
    for place, value in sorted(history.final_places()):
        if value in keys:
            lanes[place.log, keys[value]].append(place)
    works, interventions = by_record(history), Interventions(history)
    always = Intervention("seek", "", -inf, -inf, high=0)
    seeks = [always, *interventions.made("seek")]
    for group, terms in history.terms.items():
        for lane in lanes.values() if terms.key_lanes else ():
            for seek in seeks:
                if seek is always or (seek.group, seek.log) == (group, lane[0].log):
                    behind = [place for place in lane if place.offset >= seek.high]
                    yield from _overtaken_in(history, group, behind, works, interventions, seek)


def _overtaken_in(
    history: History,
    group: str,
    lane: list[Place],
    works: dict[Key, list[Work]],
    interventions: Interventions,
    seek: Intervention,
) -> Iterator[str]:
    """``lane``: the records of a key, in order; what counts is what happened since the seek."""
    settled_by: float = -1
    for before, place in zip([None, *lane], lane, strict=False):
        if before is not None and not was_gone(history, group, before):
            ends = [
                *_may_end_in(history, interventions, works.get((group, before), ()), seek),
                *_skipped_by(interventions, group, before, seek),
            ]
            settled_by = max(settled_by, min(ends, default=inf))
        for work in works.get((group, place), ()):
            is_since = interventions.granted_after(work) >= seek.done_s
            if is_since and work.lease_id <= settled_by:
                yield (
                    f"{place} came to {work.worker} of {group} at {work.at_s:.6f} s, though "
                    f"{before} has the same key and was not settled"
                )
                return


def _may_end_in(
    history: History, interventions: Interventions, works: Iterable[Work], seek: Intervention
) -> Iterator[float]:
    """The leases in which a record may have been settled since the seek."""
    for work in works:
        if _may_end(history, work) and interventions.granted_by(work) >= seek.invoked_s:
            yield work.lease_id


def _skipped_by(
    interventions: Interventions, group: str, place: Place, seek: Intervention
) -> Iterator[float]:
    """The leases before which another seek may have skipped a record."""
    for other in interventions.settling(group, place, seek.invoked_s, besides=seek):
        yield interventions.first_lease_after(other.invoked_s) - 1


def unburied(history: History) -> Iterator[str]:
    """What was rejected, or has failed as often as it may, is not among the dead, or what has not
    is, or has not since an operator saw to it; or it is there twice."""
    works, interventions = by_record(history), Interventions(history)
    for group, dead in history.dead.items():
        for place, count in Counter(record.place for record in dead).items():
            handed = works.get((group, place), [])
            if count > 1 or not any(last_deaths(history, interventions, handed)):
                yield f"{group} lists {place} as dead, {count} times; it did not die so often"
    listed = listed_dead(history)
    for (group, place), handed in works.items():
        ends = [
            work
            for work in handed
            if _surely_died(history, work) and not interventions.undone(group, place, work.said_s)
        ]
        if ends and group in history.dead and (group, place) not in listed:
            yield f"{group} does not list {place} as dead; {ends[0].worker} said {ends[0].verb}"


def last_deaths(
    history: History, interventions: Interventions, handed: list[Work]
) -> Iterator[Work]:
    """``handed``: all of a record. In which it may have died, and nobody has undone it for sure."""
    for work, later in zip_longest(handed, handed[1:]):
        over_s = interventions.granted_by(later) if later is not None else inf
        if work.outcome is Outcome.OK:
            over_s = work.done_s
        if may_die(history, work) and over_s >= interventions.undone_s(work.group, work.place):
            yield work


def listed_dead(history: History) -> set[Key]:
    """The dead of all groups."""
    return {(group, record.place) for group, dead in history.dead.items() for record in dead}


def usurped(history: History) -> Iterator[str]:
    """A record that somebody has comes to another one, or is settled by one who has lost it."""
    for trial in history.trials:
        if trial.second_s < trial.until_s:
            yield f"handed out at {trial.second_s:.6f} s, and held until {trial.until_s:.6f} s"
        if trial.stale is Outcome.OK:
            yield f"a commit or ack counted of a record that was lost at {trial.second_s:.6f} s"


def uncounted(history: History) -> Iterator[str]:
    """A failure or crash does not count, or more of them than a record may have do not end it."""
    for trial in history.trials:
        if trial.attempts != trial.wanted:
            yield f"{trial.attempts} are the failures and crashes, not {trial.wanted}"
        if not trial.is_dead:
            yield f"a record has failed {trial.attempts} times and once more, and is not dead"


def may_settle(work: Work) -> bool:
    """The worker may have said the last word on the record."""
    return work.verb in _FINAL and work.outcome is not Outcome.FAILED


def may_be_last(history: History, work: Work) -> bool:
    """One attempt was left to the record, and this may count as one: it failed, or crashed."""
    terms = history.terms.get(work.group)
    if terms is None or not 0 < terms.max_attempts <= work.failures + work.crashes + 1:
        return False
    return work.verb == "nack" or work.outcome is not Outcome.OK


def may_die(history: History, work: Work) -> bool:
    """The record may be dead since."""
    is_rejected = work.verb == "reject" and work.outcome is not Outcome.FAILED
    return is_rejected or may_be_last(history, work)


def _surely_died(history: History, work: Work) -> bool:
    return work.outcome is Outcome.OK and may_die(history, work)


def _may_end(history: History, work: Work) -> bool:
    """Nobody may have to handle the record any more."""
    return may_settle(work) or may_be_last(history, work)


def was_gone(history: History, group: str, place: Place) -> bool:
    """The record was, before the group was made."""
    start = history.queue_starts.get((group, place.log), 0)
    return place.offset < max(start, history.dropped_upto.get(place.log, 0))


def by_record(history: History) -> dict[Key, list[Work]]:
    """What happened to each record in each group, in the order of leases."""
    found: defaultdict[Key, list[Work]] = defaultdict(list)
    for work in sorted(history.works, key=lambda work: work.lease_id):
        found[work.group, work.place].append(work)
    return found
