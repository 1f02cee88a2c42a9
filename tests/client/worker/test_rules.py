from tapemq.queues.outcome import Reject, Retry
from tapemq.queues.verdict import ACK, nack, reject
from tapemq.worker.rules import Rules, Undecodable


def test_by_default_every_failure_is_tried_again() -> None:
    assert Rules().verdict(KeyError("k")) == nack(None, "KeyError", "KeyError: 'k'")


def test_some_make_it_dead_and_some_count_as_success() -> None:
    rules = Rules(reject_on=(ValueError, TypeError), ignore=KeyError)
    assert rules.verdict(UnicodeError("u")) == reject("UnicodeError", "UnicodeError: u")
    assert rules.verdict(KeyError("k")) is ACK
    assert rules.verdict(OSError("o")).verb == "nack"


def test_with_retry_on_all_others_make_it_dead() -> None:
    rules = Rules(retry_on=(ConnectionError,))
    assert rules.verdict(ConnectionResetError("c")).verb == "nack"
    assert rules.verdict(OSError("o")).verb == "reject"


def test_reject_on_counts_more_than_retry_on() -> None:
    rules = Rules(retry_on=OSError, reject_on=FileNotFoundError)
    assert rules.verdict(FileNotFoundError("f")).verb == "reject"
    assert rules.verdict(PermissionError("p")).verb == "nack"


def test_what_the_handler_says_counts_more_than_the_rules() -> None:
    assert Rules(retry_on=()).verdict(Retry("busy", delay=30)) == nack(30, "busy")
    assert Rules(reject_on=Exception).verdict(Retry()).by_policy
    assert Rules().verdict(Reject("no such customer")).reason == "no such customer"
    assert Rules().verdict(Undecodable("x")).verb == "reject"


def test_a_handler_that_exits_like_a_program_has_failed() -> None:
    assert Rules(retry_on=()).verdict(SystemExit(2)).verb == "nack"
