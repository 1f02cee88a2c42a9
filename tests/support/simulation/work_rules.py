"""Rules on what queue groups hand out, and what becomes of settlements.

A record is in one lease at a time, and lease ids rise. So what was settled under one lease, and
confirmed, must not be seen under a later one: no clock is needed to say so.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from math import inf
from typing import Final

from tests.support.simulation.history import History, LogName, Outcome, Place, Work

RETRY_JITTER: Final = 0.25
"""By how much of it a delay may be shorter or longer than the group's settings say."""

_Key = tuple[str, Place]
_FINAL = ("ack", "reject")


def settled_again(history: History) -> Iterator[str]:
    """A record comes again after a confirmed ack, or when it is dead."""
    for (group, place), works in by_record(history).items():
        final = [work for work in works if work.verb in _FINAL and work.outcome is Outcome.OK]
        for work in works:
            if final and work.lease_id > final[0].lease_id:
                yield (
                    f"{place} came to {work.worker} of {group} at {work.at_s:.6f} s in lease "
                    f"{work.lease_id:#x}; {final[0].worker} had confirmed its {final[0].verb} of "
                    f"lease {final[0].lease_id:#x} at {final[0].done_s:.6f} s"
                )
                break


def miscounted(history: History) -> Iterator[str]:
    """A record's failures or crashes are more or fewer than there were."""
    for (group, place), works in by_record(history).items():
        for number, work in enumerate(works):
            before = [other for other in works[:number] if other.lease_id < work.lease_id]
            nacked = [other for other in before if other.verb == "nack"]
            surely = sum(other.outcome is Outcome.OK for other in nacked)
            perhaps = sum(other.outcome is not Outcome.FAILED for other in nacked)
            crashes = sum(other.outcome is not Outcome.OK for other in before)
            if not surely <= work.failures <= perhaps or work.crashes > crashes:
                yield (
                    f"{place} came to {work.worker} of {group} at {work.at_s:.6f} s as failed "
                    f"{work.failures} times ({surely} to {perhaps} are possible) and crashed "
                    f"{work.crashes} times (at most {crashes})"
                )
                break


def hasty(history: History) -> Iterator[str]:
    """A record comes again before the delay behind its failure is over."""
    for (group, place), works in by_record(history).items():
        retry_s = history.terms[group].retry_s if group in history.terms else 0
        delay_s = int(1000 * retry_s * (1 - RETRY_JITTER)) / 1000  # whole milliseconds
        for nacked in works:
            if nacked.verb != "nack" or nacked.outcome is not Outcome.OK:
                continue
            for work in works:
                jumped = any(nacked.said_s <= jump_s <= work.at_s for jump_s in history.jumps)
                is_later = work.lease_id > nacked.lease_id
                if is_later and not jumped and work.at_s < nacked.said_s + delay_s:
                    yield (
                        f"{place} came to {work.worker} of {group} at {work.at_s:.6f} s; it had "
                        f"failed at {nacked.said_s:.6f} s, and was to wait for {delay_s:.3f} s"
                    )


def overtaken(history: History) -> Iterator[str]:
    """With key lanes, a record comes before one of the same key in front of it is settled."""
    keys = {publish.value: publish.key for publish in history.publishes if publish.key is not None}
    lanes: defaultdict[tuple[LogName, str], list[Place]] = defaultdict(list)
    for place, value in sorted(history.final_places()):
        if value in keys:
            lanes[place.log, keys[value]].append(place)
    works = by_record(history)
    for group, terms in history.terms.items():
        if terms.key_lanes:
            for lane in lanes.values():
                yield from _overtaken_in(history, group, lane, works)


def _overtaken_in(
    history: History, group: str, lane: list[Place], works: dict[_Key, list[Work]]
) -> Iterator[str]:
    """``lane``: the records of a key, in order."""
    settled_by: float = -1
    for before, place in zip([None, *lane], lane, strict=False):
        if before is not None and not _was_gone(history, group, before):
            handed = works.get((group, before), ())
            ends = [work.lease_id for work in handed if _may_end(history, work)]
            settled_by = max(settled_by, min(ends, default=inf))
        for work in works.get((group, place), ()):
            if work.lease_id <= settled_by:
                yield (
                    f"{place} came to {work.worker} of {group} at {work.at_s:.6f} s, though "
                    f"{before} has the same key and was not settled"
                )
                return


def unburied(history: History) -> Iterator[str]:
    """What was rejected, or has failed as often as it may, is not among the dead, or what has not
    is; or it is there twice."""
    works = by_record(history)
    for group, dead in history.dead.items():
        for place, count in Counter(record.place for record in dead).items():
            handed = works.get((group, place), ())
            if count > 1 or not any(may_die(history, work) for work in handed):
                yield f"{group} lists {place} as dead, {count} times; it did not die so often"
    listed = _listed(history)
    for (group, place), handed in works.items():
        ends = [work for work in handed if work.outcome is Outcome.OK and may_die(history, work)]
        if ends and group in history.dead and (group, place) not in listed:
            yield f"{group} does not list {place} as dead; {ends[0].worker} said {ends[0].verb}"


def _listed(history: History) -> set[_Key]:
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


def _may_settle(work: Work) -> bool:
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


def _may_end(history: History, work: Work) -> bool:
    """Nobody may have to handle the record any more."""
    return _may_settle(work) or may_be_last(history, work)


def unworked(history: History) -> Iterator[str]:
    """A record was never settled, though the group was drained at the end, and holds it."""
    works = by_record(history)
    settled = _listed(history)
    for (group, place), handed in works.items():
        # Whoever died is listed, if the list is known.
        acks = [work for work in handed if work.verb == "ack" and _may_settle(work)]
        is_dead = group not in history.dead and any(may_die(history, work) for work in handed)
        if acks or is_dead:
            settled.add((group, place))
    known: defaultdict[tuple[str, LogName], set[int]] = defaultdict(set)
    for group, place in works:
        known[group, place.log].add(place.offset)
    for (group, log), offsets in known.items():
        # Also what retention has removed since the group came.
        for offset in range(min(offsets), history.first_offsets.get(log, 0)):
            place = Place(*log, offset)
            is_settled = (group, place) in settled or _was_gone(history, group, place)
            if group in history.queues and not is_settled:
                yield f"{group} has not settled {place}, which is removed"
    for group, topic in history.queues.items():
        for place, _ in history.final_places():
            was_gone = _was_gone(history, group, place)
            if place.topic == topic and not was_gone and (group, place) not in settled:
                yield f"{group} has not settled {place}"


def _was_gone(history: History, group: str, place: Place) -> bool:
    """Before the group was made."""
    start = history.queue_starts.get((group, place.log), 0)
    return place.offset < max(start, history.dropped_upto.get(place.log, 0))


def by_record(history: History) -> dict[_Key, list[Work]]:
    """What happened to each record in each group, in the order of leases."""
    found: defaultdict[_Key, list[Work]] = defaultdict(list)
    for work in sorted(history.works, key=lambda work: work.lease_id):
        found[work.group, work.place].append(work)
    return found
