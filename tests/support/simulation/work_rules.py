"""Rules on what queue groups hand out, and what becomes of settlements.

A record is in one lease at a time, and lease ids rise. So what was settled under one lease, and
confirmed, must not be seen under a later one: no clock is needed to say so.
"""

from collections import defaultdict
from collections.abc import Iterator

from tests.support.simulation.history import History, Outcome, Place, Work

_Key = tuple[str, Place]
_FINAL = ("ack", "reject")


def settled_again(history: History) -> Iterator[str]:
    """A record comes again after a confirmed ack, or when it is dead."""
    for (group, place), works in _by_record(history).items():
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
    for (group, place), works in _by_record(history).items():
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


def unworked(history: History) -> Iterator[str]:
    """A record was never settled, though the group was drained at the end."""
    settled = {
        key
        for key, works in _by_record(history).items()
        if any(work.verb in _FINAL and work.outcome is not Outcome.FAILED for work in works)
    }
    for group, topic in history.queues.items():
        for place, _ in history.final_places():
            start = history.queue_starts.get((group, place.log), 0)
            was_gone = place.offset < max(start, history.dropped_upto.get(place.log, 0))
            if place.topic == topic and not was_gone and (group, place) not in settled:
                yield f"{group} has not settled {place}"


def _by_record(history: History) -> dict[_Key, list[Work]]:
    """What happened to each record in each group, in the order of leases."""
    found: defaultdict[_Key, list[Work]] = defaultdict(list)
    for work in sorted(history.works, key=lambda work: work.lease_id):
        found[work.group, work.place].append(work)
    return found
