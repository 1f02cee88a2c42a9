import builtins
import inspect

import pytest

import tapemq
from tapemq import errors
from tapemq.errors import from_failure
from tapemq.wire import errors as wire
from tapemq.wire.errors import ERRORS, ErrorKind
from tapemq.wire.messages import Failure

CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.Error) and kind is not errors.NotHere
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_is_public(kind: type[errors.Error]) -> None:
    assert getattr(tapemq, kind.__name__) is kind
    assert kind.__name__ in tapemq.__all__


def test_errors_are_what_the_standard_library_calls_them() -> None:
    assert issubclass(tapemq.TimeoutError, builtins.TimeoutError)
    assert issubclass(tapemq.ConnectionLost, builtins.ConnectionError)


@pytest.mark.parametrize("kind", ERRORS.values(), ids=lambda kind: kind.name)
def test_every_failure_of_the_protocol_has_an_error(kind: ErrorKind) -> None:
    error = from_failure(Failure(kind.code, "the reason"))
    assert isinstance(error, errors.Error)
    assert "the reason" in str(error)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (wire.UNKNOWN_TOPIC, errors.TopicNotFound),
        (wire.TOPIC_EXISTS, errors.TopicExists),
        (wire.BATCH_TOO_LARGE, errors.PayloadTooLarge),
        (wire.FENCED, errors.Fenced),
        (wire.DISK_FULL, errors.DiskFull),
        (wire.OVERLOADED, errors.Overloaded),
        (wire.DEADLINE_EXCEEDED, errors.IndeterminateError),
        (wire.PROTOCOL_ERROR, errors.ProtocolViolation),
        (wire.SHUTTING_DOWN, errors.ConnectionLost),
        (wire.GROUP_BUSY, errors.GroupBusy),
        (wire.OUT_OF_ORDER, errors.RequestRefused),
    ],
    ids=lambda item: getattr(item, "name", ""),
)
def test_failure_becomes(kind: ErrorKind, expected: type[errors.Error]) -> None:
    error = from_failure(Failure(kind.code, "the reason"))
    assert type(error) is expected


@pytest.mark.parametrize("kind", ERRORS.values(), ids=lambda kind: kind.name)
def test_refusals_keep_the_code_and_whether_to_retry(kind: ErrorKind) -> None:
    error = from_failure(Failure(kind.code, ""))
    if isinstance(error, errors.RequestRefused):
        assert (error.code, error.retryable) == (kind.name, kind.retryable)


def test_overload_says_when_to_come_back_in_seconds() -> None:
    error = from_failure(Failure(wire.DISK_FULL.code, "full", retry_after_ms=1500))
    assert isinstance(error, tapemq.Overloaded)
    assert error.retry_after == 1.5


def test_address_of_another_broker_is_kept() -> None:
    error = from_failure(Failure(wire.NOT_HERE.code, "", address="other:1"))
    assert isinstance(error, errors.NotHere)
    assert error.address == "other:1"


def test_code_of_a_newer_broker_is_told() -> None:
    error = from_failure(Failure(999, "something new"))
    assert type(error) is tapemq.RequestRefused
    assert "999" in str(error)
    assert not error.retryable


def test_code_of_a_newer_broker_that_says_when_to_come_back_is_retryable() -> None:
    error = from_failure(Failure(999, "something new", retry_after_ms=1500))
    assert isinstance(error, tapemq.Overloaded)
    assert (error.retryable, error.retry_after) == (True, 1.5)
    assert "999" in str(error)
