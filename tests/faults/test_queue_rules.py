"""Each rule for queue groups sees what it is made to see, in forged histories."""

from collections.abc import Callable
from dataclasses import replace

import pytest

import tapemq
from tapemq_broker.core.queue.leases import LEASES_PER_BOOT
from tests.support.crash.queue.journal import Delivery, History, Kill
from tests.support.crash.queue.rules import CRASHED, REJECTED, Ending, judge

PLACE = (0, 7)
KILLED, LIVING = 1, 2


def first(verb: str = "", *, confirmed: bool = False, life: int = LIVING) -> Delivery:
    return Delivery(life, PLACE, 1, 0, 0, told=True, verb=verb, confirmed=confirmed)


def then(before: Delivery, verb: str = "ack", *, failures: int = 0, crashes: int = 0) -> Delivery:
    """A later delivery to one that lives, with so many more failures and crashes."""
    counts = (before.failures + failures, before.crashes + crashes)
    return Delivery(LIVING, PLACE, before.lease_id + 1, *counts, told=True, verb=verb)


def restarted(delivery: Delivery) -> Delivery:
    return replace(delivery, lease_id=delivery.lease_id + LEASES_PER_BOOT)


def dead(failures: int, crashes: int, reason: str) -> tapemq.DeadRecord:
    return tapemq.DeadRecord(*PLACE, reason, "", failures, crashes, replays=0, died_at=None)


def complaints(
    *deliveries: Delivery, died: tapemq.DeadRecord | None = None, unsettled: int = 0
) -> list[str]:
    """What the judge says of the only record; the first word of each."""
    history = History({PLACE: list(deliveries)}, {KILLED: Kill("worked", held=1, started=1)})
    ending = Ending({PLACE}, 2, {0: unsettled}, {PLACE: died} if died else {})
    return [complaint.split(":")[0] for complaint in judge(history, ending).complaints]


ENDS_WELL = {
    "acked": [first("ack", confirmed=True)],
    "acked by a consumer that was killed then": [first("ack", life=KILLED)],
    "such an ack was not heard": [first("ack", life=KILLED), then(first(), crashes=1)],
    "failed": [first("nack", confirmed=True), then(first(), failures=1)],
    "failed or crashed": [first("nack", life=KILLED), then(first(), crashes=1)],
    "crashed": [first(life=KILLED), then(first(), crashes=1)],
    "crashed before it could tell": [replace(first(life=KILLED), told=False), then(first())],
    "given back": [first("release", confirmed=True), then(first())],
    "left in peace": [first(), then(first())],
    "an ack died with the broker": [first("ack"), restarted(then(first()))],
    "a crash died with the broker": [first(life=KILLED), restarted(then(first()))],
}


@pytest.mark.parametrize("deliveries", ENDS_WELL.values(), ids=ENDS_WELL)
def test_what_may_be_is_accepted(deliveries: list[Delivery]) -> None:
    assert complaints(*deliveries) == []


BROKEN = {
    "a confirmed ack comes again": ([first("ack", confirmed=True), then(first())], "redelivered"),
    "and after the broker's end": (
        [first("ack", confirmed=True), restarted(then(first()))],
        "redelivered",
    ),
    "and after the consumer's end": (
        [first("ack", confirmed=True, life=KILLED), then(first(), crashes=1)],
        "redelivered",
    ),
    "an ack of one that lives comes again": ([first("ack"), then(first())], "redelivered"),
    "a rejected one comes again": ([first("reject", confirmed=True), then(first())], "redelivered"),
    "never delivered": ([], "lost"),
    "nobody acked it": ([first("nack", confirmed=True)], "lost"),
    "its consumer crashed, and no other came": ([first(life=KILLED)], "lost"),
    "a failure is not counted": ([first("nack", confirmed=True), then(first())], "miscounted"),
    "nor behind the broker's end": (
        [first("nack", confirmed=True), restarted(then(first()))],
        "miscounted",
    ),
    "a failure counts as a crash": (
        [first("nack", confirmed=True), then(first(), crashes=1)],
        "miscounted",
    ),
    "a crash is not counted": ([first(life=KILLED), then(first())], "miscounted"),
    "a crash counts as a failure": ([first(life=KILLED), then(first(), failures=1)], "miscounted"),
    "a release is counted": (
        [first("release", confirmed=True), then(first(), failures=1)],
        "miscounted",
    ),
    "leaving in peace is counted": ([first(), then(first(), crashes=1)], "miscounted"),
    "who only held it is counted": ([then(first(), crashes=1)], "miscounted"),
    "the broker's end is counted": ([first(), restarted(then(first(), crashes=1))], "miscounted"),
    "rejected, and not dead": ([first("reject", confirmed=True)], "alive"),
}


@pytest.mark.parametrize(("deliveries", "complaint"), BROKEN.values(), ids=BROKEN)
def test_what_must_not_be_is_seen(deliveries: list[Delivery], complaint: str) -> None:
    assert complaints(*deliveries) == [complaint]


def test_a_delivery_after_the_last_attempt_is_seen() -> None:
    second = then(first(), "nack", failures=1)
    assert complaints(
        first("nack", confirmed=True), replace(second, confirmed=True), then(second, failures=1)
    ) == ["overdue"]


DEATHS: dict[str, tuple[Callable[[Delivery], Delivery], tapemq.DeadRecord, list[str]]] = {
    "crashed": (lambda last: replace(last, life=KILLED), dead(1, 1, CRASHED), []),
    "failed": (lambda last: replace(last, verb="nack"), dead(2, 0, "failed"), []),
    "rejected": (lambda last: replace(last, verb="reject"), dead(1, 0, REJECTED), []),
    "for another reason": (
        lambda last: replace(last, life=KILLED),
        dead(1, 1, "failed"),
        ["dead"],
    ),
    "too early": (lambda last: replace(last, life=KILLED), dead(1, 0, CRASHED), ["dead"]),
    "after an ack": (lambda last: replace(last, confirmed=True), dead(2, 0, "failed"), ["dead"]),
    "with other counts": (
        lambda last: replace(last, verb="nack", confirmed=True),
        dead(1, 1, CRASHED),
        ["miscounted"],
    ),
    "rejected, and counted": (
        lambda last: replace(last, verb="reject"),
        dead(2, 0, REJECTED),
        ["miscounted"],
    ),
}


@pytest.mark.parametrize(("ended", "died", "expected"), DEATHS.values(), ids=DEATHS)
def test_deaths_are_judged(
    ended: Callable[[Delivery], Delivery], died: tapemq.DeadRecord, expected: list[str]
) -> None:
    last = ended(then(first(), failures=1))
    assert complaints(first("nack", confirmed=True), last, died=died) == expected


def test_wrong_wholes_are_seen() -> None:
    assert complaints(first("ack"), unsettled=3) == ["unsettled"]
    assert complaints(died=dead(0, 2, CRASHED)) == ["dead"]
    history = History({PLACE: [first("ack")]})
    assert [c.split(":")[0] for c in judge(history, Ending(set(), 2)).complaints] == ["phantom"]
    strange = Ending(set(), 2, dead={PLACE: dead(0, 2, CRASHED)})
    assert [c.split(":")[0] for c in judge(History(), strange).complaints] == ["phantom"]
