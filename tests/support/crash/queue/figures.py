"""A run in numbers."""

from collections import Counter

from tests.support.crash.queue.journal import History
from tests.support.crash.queue.rules import Ending, Verdict
from tests.support.proof.evidence import Evidence

PROMISES = ("P9", "P10", "P11")


def figures(history: History, ending: Ending, verdict: Verdict) -> str:
    """What happened, and how much of it was checked."""
    kills = history.kills.values()
    held = sum(kill.held for kill in kills)
    started = sum(kill.started for kill in kills)
    announced = sum(kill.announced for kill in kills)
    points = Counter(kill.point for kill in kills)
    reasons = Counter(dead.reason for dead in ending.dead.values())
    verbs = Counter(
        f"{delivery.verb or 'nothing'}{' confirmed' * delivery.confirmed}"
        for deliveries in history.deliveries.values()
        for delivery in deliveries
    )
    lines = [
        f"{len(kills)} consumers killed: {dict(points)}",
        f"held at kills: {held} records, {started} of them in handlers, {announced} about to be",
        f"{len(ending.published)} records, {history.total} handed out: {dict(verbs)}",
        f"dead: {dict(reasons)}",
        f"counts: {verdict.counted} checked, {verdict.exact} of them had to be one number",
        f"{len(verdict.complaints)} complaints",
    ]
    return "\n".join(lines)


def note(
    evidence: Evidence, history: History, verdict: Verdict, *, cycles: int, unit: str, seed: int
) -> None:
    """Put them down: every delivery was held against the promises."""
    kinds = Counter(complaint.partition(":")[0] for complaint in verdict.complaints)
    lost, again = kinds["lost"] + kinds["unsettled"], kinds["redelivered"]
    confirmed = sum(
        delivery.confirmed for place in history.deliveries.values() for delivery in place
    )
    evidence.note(
        *PROMISES,
        cycles=cycles,
        unit=unit,
        attempted=history.total,
        lost=lost,
        duplicated=again,
        wrong=len(verdict.complaints) - lost - again,
        settlements_confirmed=confirmed,
        seed=seed,
    )
