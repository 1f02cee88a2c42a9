"""The verdict on a history: which of the promises were broken, and how.

The rules follow Jepsen's checker for Kafka. All values are unique and offsets are given, so each
rule is one pass; nothing is searched for.

=====================  ============================================  ===============================
Of a log's checker     Here                                          What it forbids
=====================  ============================================  ===============================
inconsistent_offset    record_rules.inconsistent_offset              two values for one offset
duplicate              record_rules.duplicate                        one value at two offsets
lost                   record_rules.lost, record_rules.hole          an acknowledged record is gone
phantom                record_rules.phantom                          what nobody published
reordered              record_rules.reordered                        against a producer's order
torn_batch             record_rules.torn_batch                       a part of a frame
skip, nonmonotonic     reader_rules.skip, reader_rules.nonmonotonic  gaps and repeats for a reader
redelivered_after_ack  group_rules.redelivered,                      what was confirmed comes again
                       work_rules.settled_again
position_regression    group_rules.position_regression               a position goes back
unacked_lost           group_rules.undelivered,                      a group never gets a record
                       group_rules.position_ahead,
                       ending_rules.unworked
stuck                  liveness_rules.stuck                          nothing is done for a minute
(ours)                 liveness_rules.unseen                        a reader waits for ever
(ours)                 liveness_rules.collapsed                      a broker that ends by itself
(ours)                 leftovers.leftover                            kept for who is gone
(ours)                 work_rules.miscounted                         wrong counts of failures
(ours)                 work_rules.hasty, work_rules.overtaken        back too soon, out of lane
(ours)                 work_rules.usurped                            leases that end early, or late
(ours)                 work_rules.uncounted                          attempts that do not count
(ours)                 work_rules.unburied                           dead records lost or invented
(ours)                 attempt_rules.undead                          more attempts than there are
(ours)                 attempt_rules.recounted                       attempts that are forgotten
(ours)                 attempt_rules.misfiled                        dead for a wrong reason
(ours)                 ending_rules.unrevived                        redriven, and not seen again
(ours)                 ending_rules.undiscarded                      discarded, and seen again
(ours)                 ending_rules.unsought                         lost behind a seek
(ours)                 ending_rules.misreported, misnumbered         wrong counts of the dead
(ours)                 group_rules.seek_forgotten                    a seek that was confirmed
(ours)                 group_rules.contended                         two who read a partition
(ours)                 schedule_rules.unfired, early, late           schedules lost, early, late
(ours)                 schedule_rules.cancelled                      and undead
(ours)                 removal_rules.removed                         what settings keep is gone
(ours)                 removal_rules.hoarded                         what they do not keep is not
(ours)                 removal_rules.forgotten                       a producer, with its records
(ours)                 removal_rules.backdated                       times that go back in a log
(ours)                 protocol_rules.misspoken                      the protocol is broken
(ours)                 record_rules.catalog                          topics gone, or back
(ours)                 record_rules.overfull                         more than a topic's limit
(ours)                 at_rest.complaints                            damage that is not refused
=====================  ============================================  ===============================

``stuck`` waits for a minute where others take ten seconds: the simulated network holds back what
was sent on a connection for up to half a minute. Each rule has a broken engine that it must
notice, in test_negative_controls.py.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from tests.support.simulation.attempt_rules import misfiled, recounted, undead
from tests.support.simulation.ending_rules import (
    misnumbered,
    misreported,
    undiscarded,
    unrevived,
    unsought,
    unworked,
)
from tests.support.simulation.group_rules import (
    contended,
    position_ahead,
    position_regression,
    redelivered,
    seek_forgotten,
    undelivered,
)
from tests.support.simulation.history import History, Outcome
from tests.support.simulation.leftovers import leftover
from tests.support.simulation.liveness_rules import collapsed, stuck, unseen
from tests.support.simulation.protocol_rules import misspoken
from tests.support.simulation.reader_rules import nonmonotonic, skip
from tests.support.simulation.record_rules import (
    catalog,
    duplicate,
    hole,
    inconsistent_offset,
    lost,
    overfull,
    phantom,
    reordered,
    torn_batch,
)
from tests.support.simulation.removal_rules import backdated, forgotten, hoarded, removed
from tests.support.simulation.schedule_rules import cancelled, early, late, unfired
from tests.support.simulation.work_rules import (
    hasty,
    miscounted,
    overtaken,
    settled_again,
    unburied,
    uncounted,
    usurped,
)

Rule = Callable[[History], Iterator[str]]

RULES: Final[tuple[Rule, ...]] = (
    *(inconsistent_offset, duplicate, lost, hole, phantom, reordered, torn_batch),
    *(skip, nonmonotonic, catalog, overfull),
    *(removed, hoarded, forgotten, backdated),
    *(undelivered, redelivered, position_regression, position_ahead, seek_forgotten),
    contended,
    *(settled_again, miscounted, hasty, overtaken, unburied, unworked, usurped, uncounted),
    *(undead, recounted, misfiled),
    *(unrevived, undiscarded, unsought, misreported, misnumbered),
    *(unfired, early, late, cancelled),
    *(stuck, unseen, collapsed, misspoken, leftover),
)
STUCK: Final[tuple[Rule, ...]] = (stuck, unseen)
_SHOWN_MAX: Final = 3


def check(history: History, *rules: Rule) -> dict[str, list[str]]:
    """Broken rules by name, each with what broke it; empty if all is well. All rules, or some."""
    found = {rule.__name__: list(rule(history)) for rule in rules or RULES}
    return {name: complaints for name, complaints in found.items() if complaints}


def verdict(found: dict[str, list[str]]) -> str:
    """The broken rules in words, with a few examples of each."""
    lines = []
    for name, complaints in found.items():
        lines += [f"{name}: {text}" for text in complaints[:_SHOWN_MAX]]
        if len(complaints) > _SHOWN_MAX:
            lines.append(f"{name}: and {len(complaints) - _SHOWN_MAX} more")
    return "\n".join(lines)


def report(history: History) -> dict[str, int]:
    """Counts in the form of Jepsen's reports."""
    outcomes = Counter(publish.outcome for publish in history.publishes)
    handed_out = Counter((work.group, work.place) for work in history.works)
    present = {value for _, value in history.final_places()}
    changed = Counter[str]()
    for one in history.interventions:
        if one.outcome is Outcome.OK:
            changed[one.verb] += 1 if one.verb == "seek" else one.affected
    recovered = sum(
        publish.outcome is Outcome.UNKNOWN and publish.value in present
        for publish in history.publishes
    )
    return {
        "attempted": len(history.publishes),
        "acked": outcomes[Outcome.OK],
        "failed": outcomes[Outcome.FAILED],
        "unknown": outcomes[Outcome.UNKNOWN] + outcomes[Outcome.PENDING],
        "recovered": recovered,
        "delivered": len(history.deliveries),
        "worked": len(history.works),
        "settled": sum(work.outcome is Outcome.OK for work in history.works),
        "committed": sum(commit.outcome is Outcome.OK for commit in history.commits),
        "scheduled": sum(item.outcome is Outcome.OK for item in history.schedules),
        "exhausted": sum(
            record.reason != "rejected" for dead in history.dead.values() for record in dead
        ),
        "redriven": changed["redrive"],
        "discarded": changed["discard"],
        "sought": changed["seek"],
        "handed_out_max": max(handed_out.values(), default=0),
        "p99_ms": round(_p99_s(history) * 1000),
    }


def _p99_s(history: History) -> float:
    """What 99 of 100 acknowledged publishes took at most, in virtual seconds."""
    took_s = sorted(p.done_s - p.invoked_s for p in history.publishes if p.outcome is Outcome.OK)
    return took_s[len(took_s) * 99 // 100] if took_s else 0.0
