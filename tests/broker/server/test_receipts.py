"""Answers leave in order, not before their offset is durable, and never twice."""

import weakref
from typing import cast

import pytest

from tapemq.batch import LogId, Role
from tapemq_broker.core.effects import Effects, Request, WhenDurable
from tapemq_broker.core.results import Done
from tapemq_broker.server import receipts as module
from tapemq_broker.server.receipts import Receipts
from tapemq_broker.server.unanswered import Unanswered

LOG = LogId(1, 0, Role.DATA)
OTHER = LogId(1, 1, Role.DATA)


class Answer:
    """An answer of which can be told whether it is still kept."""


def request(correlation: int, deadline: float | None = None) -> Request:
    return Request(1, correlation, deadline)


def new_receipts() -> Receipts:
    return Receipts(Unanswered(lambda session, is_crowded: None))


def released(receipts: Receipts, log: LogId, offset: int) -> list[int]:
    return [asked.correlation for asked, _ in receipts.release(log, offset)]


def test_an_answer_waits_for_its_offset() -> None:
    receipts = new_receipts()
    receipts.wait(LOG, 10, request(1), Done())
    receipts.wait(LOG, 20, request(2), Done())
    assert released(receipts, LOG, 9) == []
    assert released(receipts, LOG, 10) == [1]
    assert released(receipts, LOG, 25) == [2]
    assert receipts.empty


def test_logs_do_not_release_each_other() -> None:
    receipts = new_receipts()
    receipts.wait(LOG, 10, request(1), Done())
    assert released(receipts, OTHER, 100) == []
    assert not receipts.empty


def test_the_answer_to_a_retry_leaves_with_the_offset_that_it_repeats() -> None:
    receipts = new_receipts()
    for correlation, offset in ((1, 10), (2, 20), (3, 30), (4, 10)):
        receipts.wait(LOG, offset, request(correlation), Done())
    assert released(receipts, LOG, 10) == [1, 4]
    assert released(receipts, LOG, 30) == [2, 3]


def test_a_deadline_answers_once_and_the_disk_not_again() -> None:
    receipts = new_receipts()
    receipts.wait(LOG, 10, request(1, deadline=5.0), Done())
    receipts.wait(LOG, 10, request(2, deadline=9.0), Done())
    assert receipts.expired(4.9) == []
    assert receipts.expired(5.0) == [request(1, 5.0)]
    assert receipts.expired(5.0) == []
    assert released(receipts, LOG, 10) == [2]
    assert receipts.expired(99.0) == []


def test_deadlines_far_ahead_do_not_keep_what_was_answered() -> None:
    receipts = new_receipts()
    answers = []
    for number in range(10_000):
        answer = Answer()
        answers.append(weakref.ref(answer))
        receipts.wait(LOG, number, request(number, deadline=1e9), cast(Done, answer))
        receipts.release(LOG, number)
        del answer
    assert sum(known() is not None for known in answers) < 5_000


def test_deadlines_of_one_time_are_told_in_the_order_of_coming() -> None:
    receipts = new_receipts()
    for number in range(5):
        receipts.wait(LOG, 10, request(number, deadline=5.0), Done())
    assert [late.correlation for late in receipts.expired(5.0)] == list(range(5))


def test_no_deadline_is_missed_when_others_were_forgotten() -> None:
    """What was answered goes out of the midst of those that are left."""
    receipts, count = new_receipts(), 3000
    for number in range(count):
        log = OTHER if number % 3 else LOG
        receipts.wait(log, number, request(number, float(number * 37 % count)), Done())
        receipts.release(OTHER, number)
    late = receipts.expired(500.0)
    assert len(late) == sum(not n % 3 and n * 37 % count <= 500 for n in range(count))


def test_deadlines_are_looked_through_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(module, "heapify", lambda heap: looks.append(len(heap)))
    receipts = new_receipts()
    for number in range(10_000):
        receipts.wait(LOG, number, request(number, deadline=1e9), Done())
    assert len(looks) <= 5


@pytest.mark.parametrize("answered_first", [True, False])
def test_a_removed_log_names_who_still_waits(answered_first: bool) -> None:
    receipts = new_receipts()
    receipts.wait(LOG, 10, request(1, deadline=5.0), Done())
    if answered_first:
        receipts.expired(5.0)
    assert receipts.drop(LOG) == ([] if answered_first else [request(1, 5.0)])
    assert receipts.empty
    assert receipts.expired(5.0) == []


def call(done: list[str], asked: Request | None, *, has_unasked: bool = True) -> WhenDurable:
    """Work that notes which way it goes on."""

    def then() -> Effects:
        done.append("then")
        return []

    def unasked() -> Effects:
        done.append("unasked")
        return []

    return WhenDurable(LOG, then, asked, unasked if has_unasked else None)


def released_calls(receipts: Receipts, offset: int) -> None:
    for go_on in receipts.release_calls(LOG, offset):
        go_on()


@pytest.mark.parametrize("asked", [None, request(1), request(1, 5.0)])
def test_work_goes_on_when_its_log_is_durable(asked: Request | None) -> None:
    receipts, done = new_receipts(), list[str]()
    receipts.call(10, call(done, asked))
    receipts.call(None, call(done, None))
    assert not receipts.empty
    released_calls(receipts, 9)
    assert done == []
    released_calls(receipts, 10)
    assert done == ["then"]
    assert receipts.place(1, lambda log: 12) == {LOG}
    released_calls(receipts, 12)
    assert done == ["then", "then"]
    assert receipts.expired(99.0) == []
    assert receipts.empty


@pytest.mark.parametrize("has_unasked", [True, False])
def test_work_whose_deadline_has_come_goes_on_unasked(has_unasked: bool) -> None:
    receipts, done = new_receipts(), list[str]()
    receipts.call(10, call(done, request(1, 5.0), has_unasked=has_unasked))
    assert receipts.expired(5.0) == [request(1, 5.0)]
    released_calls(receipts, 10)
    assert done == ["unasked" if has_unasked else "then"]


def test_a_removed_log_names_who_waits_for_work() -> None:
    receipts, done = new_receipts(), list[str]()
    receipts.call(10, call(done, None))
    for number, deadline in ((1, None), (2, 5.0), (3, 9.0)):
        receipts.call(10, call(done, request(number, deadline)))
    receipts.expired(5.0)
    assert [asked.correlation for asked in receipts.drop(LOG)] == [1, 3]
    assert receipts.empty
    assert receipts.expired(99.0) == []


class Crowds:
    """Who has too many, with a limit of two; and receipts that count so."""

    def __init__(self) -> None:
        self.heard: list[bool] = []
        self.receipts = Receipts(Unanswered(lambda session, crowded: self.heard.append(crowded), 2))


def test_answers_count_until_they_wait_no_longer() -> None:
    """Those that were given up, too: they take their place until the disk has caught up."""
    crowds = Crowds()
    crowds.receipts.wait(LOG, 10, request(1), Done())
    crowds.receipts.wait(LOG, 10, request(2, deadline=5.0), Done())
    crowds.receipts.expired(5.0)
    assert crowds.heard == [True]
    crowds.receipts.release(LOG, 10)
    assert crowds.heard == [True, False]


def test_work_that_goes_on_counts_until_then() -> None:
    crowds, done = Crowds(), list[str]()
    crowds.receipts.call(10, call(done, request(1)))
    crowds.receipts.call(10, call(done, None))
    assert crowds.heard == []
    crowds.receipts.call(10, call(done, request(2)))
    assert crowds.heard == [True]
    released_calls(crowds.receipts, 10)
    assert crowds.heard == [True, False]


def test_what_waits_for_a_removed_log_counts_no_longer() -> None:
    crowds = Crowds()
    crowds.receipts.wait(LOG, 10, request(1), Done())
    crowds.receipts.call(10, call([], request(2)))
    crowds.receipts.drop(LOG)
    assert crowds.heard == [True, False]
