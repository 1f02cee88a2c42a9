import pytest

from tapemq import errors
from tapemq.errors import ConnectionLost, IndeterminateError, Overloaded, TopicNotFound
from tapemq.network.attempt import Attempt
from tapemq.wire import messages as m


def attempt(*, repeatable: bool, sent: bool = True) -> Attempt:
    made = Attempt(m.DeleteTopic("t"), repeatable)
    made.sent = sent
    return made


def test_lost_answer_is_asked_for_again_if_that_is_as_good_as_once() -> None:
    assert attempt(repeatable=True).pause_s(ConnectionLost("gone")) == 0.0
    with pytest.raises(IndeterminateError, match="DeleteTopic may or may not have been done: gone"):
        attempt(repeatable=False).pause_s(ConnectionLost("gone"))


def test_overloaded_broker_gets_the_time_that_it_asks_for() -> None:
    made = attempt(repeatable=False)
    assert made.pause_s(Overloaded("busy", retry_after=3.0)) == 3.0
    assert made.pause_s(Overloaded("busy")) == 0.1
    assert isinstance(made.failure("late"), errors.TimeoutError)  # surely nothing was done


def test_broker_that_missed_the_deadline_leaves_it_open() -> None:
    late = IndeterminateError("deadline exceeded")
    with pytest.raises(IndeterminateError, match="may or may not"):
        attempt(repeatable=False).pause_s(late)
    with pytest.raises(errors.TimeoutError, match="deadline exceeded"):
        attempt(repeatable=True).pause_s(late)


def test_other_refusals_are_final() -> None:
    with pytest.raises(TopicNotFound):
        attempt(repeatable=True).pause_s(TopicNotFound("no t"))


def test_what_was_not_sent_was_not_done() -> None:
    unsent = attempt(repeatable=False, sent=False)
    assert isinstance(unsent.failure("no connection"), errors.TimeoutError)
