import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tapemq.queues.outcome import (
    Reject,
    Retry,
    check_exceptions,
    check_function,
    check_returned,
    outcome_of,
)
from tapemq.queues.verdict import ACK, RELEASE, reject


def test_no_exception_is_success() -> None:
    assert outcome_of(None) is ACK


def test_an_exception_is_a_failure_with_its_name_and_text() -> None:
    verdict = outcome_of(KeyError("total"))
    assert (verdict.verb, verdict.by_policy, verdict.reason) == ("nack", True, "KeyError")
    assert verdict.error == "KeyError: 'total'"


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(0)])
def test_never_an_ack_for_what_ends_a_task(error: BaseException) -> None:
    assert outcome_of(error, reject_on=Exception, ignore=Exception) is RELEASE


def test_some_exceptions_are_final_and_some_are_none() -> None:
    assert outcome_of(KeyError(), reject_on=LookupError).verb == "reject"
    assert outcome_of(KeyError(), reject_on=(OSError, LookupError)).verb == "reject"
    assert outcome_of(KeyError(), ignore=(OSError, LookupError)) is ACK
    assert outcome_of(ValueError(), reject_on=LookupError, ignore=OSError).verb == "nack"


def test_timeout_is_an_exception_like_others() -> None:
    assert outcome_of(TimeoutError()).verb == "nack"


@pytest.mark.parametrize("delay", [30, 30.0, timedelta(seconds=30)])
def test_a_retry_carries_its_delay(delay: float | timedelta) -> None:
    verdict = outcome_of(Retry("busy", delay=delay), reject_on=Exception)
    assert (verdict.verb, verdict.by_policy, verdict.delay_ms) == ("nack", False, 30_000)
    assert verdict.reason == "busy"


@pytest.mark.parametrize("delay", [-1, 1.7e15, timedelta(seconds=-1), float("nan")])
def test_a_retry_is_not_made_with_a_delay_that_cannot_be(delay: float | timedelta) -> None:
    """A ValueError at the end of the block would be nobody's; in the handler it fails a message."""
    with pytest.raises(ValueError, match="a duration is"):
        Retry("busy", delay=delay)


def test_a_retry_without_delay_leaves_it_to_the_policy() -> None:
    verdict = outcome_of(Retry())
    assert (verdict.verb, verdict.by_policy, verdict.reason) == ("nack", True, "Retry")


def test_a_reject_makes_it_dead() -> None:
    verdict = outcome_of(Reject("no such customer"))
    assert (verdict.verb, verdict.reason) == ("reject", "no such customer")
    assert outcome_of(Reject()) == reject("Reject")


@pytest.mark.parametrize(("reason", "said"), [(KeyError("k"), "'k'"), (404, "404"), (None, "")])
def test_a_reason_may_be_what_is_at_hand(reason: object, said: str) -> None:
    assert outcome_of(Retry(reason)).reason == (said or "Retry")
    assert outcome_of(Reject(reason)).reason == (said or "Reject")


def test_what_caused_it_is_kept() -> None:
    for chosen in (Retry("busy"), Reject("wrong")):
        chosen.__cause__ = KeyError("k")
        assert outcome_of(chosen).error == "KeyError: 'k'"


async def coroutine() -> None: ...


def generator() -> Iterator[None]:
    yield


async def asynchronous_generator() -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize("function", [coroutine, generator, asynchronous_generator])
def test_what_runs_nothing_when_it_is_called_is_no_handler(function: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match="nobody"):
        check_function(function, awaited=False)
    with pytest.raises(TypeError, match="of which nothing has run"):
        check_returned(function())


def test_what_runs_is_a_handler() -> None:
    check_function(coroutine, awaited=True, arguments=0)
    check_function(print, awaited=False)
    check_returned(None)
    check_returned([1])


@pytest.mark.parametrize("kinds", [[KeyError], [], "KeyError", (KeyError, "ValueError"), None])
def test_exceptions_are_a_class_or_a_tuple_of_some(kinds: Any) -> None:
    with pytest.raises(TypeError, match="reject_on is an exception class or a tuple of them, not"):
        check_exceptions(reject_on=kinds, ignore=())
    check_exceptions(reject_on=(OSError, KeyError), ignore=ValueError)


async def test_a_task_that_a_handler_returns_runs_by_itself() -> None:
    task = asyncio.ensure_future(coroutine())
    check_returned(task)
    await task
