import errno

import pytest

import tapemq
from tapemq_broker.cli.exits import Exit
from tapemq_broker.cli.failures import failure_of
from tapemq_broker.storage.errors import DataDirectoryError, StorageError


@pytest.mark.parametrize(
    ("error", "code", "advice"),
    [
        (tapemq.TopicNotFound("no topic"), Exit.FAILED, "list the topics: tapemq topic ls"),
        (tapemq.ScheduleNotFound("none"), Exit.FAILED, "list what is pending: tapemq schedule"),
        (tapemq.DiskFull("full"), Exit.FAILED, "free space on the broker's disk"),
        (tapemq.Overloaded("busy"), Exit.FAILED, "try again in a moment"),
        (tapemq.RequestRefused("no"), Exit.FAILED, ""),
        (tapemq.ConnectionLost("gone"), Exit.UNREACHABLE, ""),
        (tapemq.ProtocolViolation("HTTP?"), Exit.UNREACHABLE, ""),
        (tapemq.Unauthenticated("who?"), Exit.UNREACHABLE, ""),
    ],
)
def test_errors_of_the_sdk(error: tapemq.Error, code: Exit, advice: str) -> None:
    found = failure_of(error)
    assert (found.text, found.code) == (str(error), code)
    assert found.advice.startswith(advice)
    assert bool(found.advice) == bool(advice)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (tapemq.GroupNotFound("no group"), "list the groups: tapemq group ls orders"),
        (tapemq.ScheduleNotFound("none"), "list what is pending: tapemq schedule ls orders"),
    ],
)
def test_the_advice_names_the_topic(error: tapemq.Error, advice: str) -> None:
    assert failure_of(error, "orders").advice == advice


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (DataDirectoryError("locked"), Exit.DATA_REFUSED, "locked"),
        (
            PermissionError(errno.EACCES, "Permission denied", "d/x"),
            Exit.FAILED,
            "d/x: Permission denied",
        ),
        (OSError("odd"), Exit.FAILED, "odd"),
    ],
)
def test_errors_of_storage_and_system(error: StorageError | OSError, code: Exit, text: str) -> None:
    found = failure_of(error)
    assert (found.text, found.code, found.advice) == (text, code, "")
