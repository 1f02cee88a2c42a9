"""The errors of the SDK. All of them are ``tapemq.Error``."""

import builtins
from collections.abc import Callable
from typing import Any, Final

from tapemq.wire import errors as wire
from tapemq.wire.errors import ERRORS, ErrorKind


class Error(Exception):
    """Base of all errors that TapeMQ raises on purpose.

    ``code`` (str): the protocol's name of the error, or one of the SDK's own: "connection_lost",
    "indeterminate", "closed".
    ``retryable`` (bool): the same call may succeed if it is made again later, and doing so cannot
    repeat an effect.
    """

    code: str = "error"
    retryable: bool = False


class ConnectionLost(Error, builtins.ConnectionError):
    """There is no connection to the broker: it was lost, or could not be made."""

    code = "connection_lost"
    retryable = True


class TimeoutError(Error, builtins.TimeoutError):  # noqa: A001  (is one, and has its name)
    """The time allowed for the call passed. Of a publish surely nothing was done; what can be done
    twice without harm, such as a seek or a change of settings, may have been done."""

    code = wire.DEADLINE_EXCEEDED.name
    retryable = True


class IndeterminateError(Error):
    """The call was sent, and no answer came in time: it may or may not have taken effect."""

    code = "indeterminate"


class Closed(Error):
    """The client, producer or stream is closed, or was not opened with ``async with``."""

    code = "closed"


class RequestRefused(Error):
    """The broker refused; the text says why. Most reasons have a class of their own below."""

    def __init__(self, text: str, kind: ErrorKind | None = None) -> None:
        super().__init__(text)
        if kind is not None:
            self.code = kind.name
            self.retryable = kind.retryable


class Overloaded(RequestRefused):
    """The broker cannot take more now. ``retry_after`` (float): seconds to wait before trying."""

    code = wire.OVERLOADED.name
    retryable = True

    def __init__(
        self, text: str, kind: ErrorKind | None = None, *, retry_after: float = 0.0
    ) -> None:
        super().__init__(text, kind)
        self.retry_after = retry_after


class DiskFull(Overloaded):
    """The broker's disk is full; reading and committing still work."""

    code = wire.DISK_FULL.name


class PayloadTooLarge(RequestRefused):
    """A record or batch is over the broker's limit. Raised before anything is sent."""

    code = wire.BATCH_TOO_LARGE.name


class Fenced(RequestRefused):
    """Somebody else owns this partition or producer now."""

    code = wire.FENCED.name


class TopicNotFound(RequestRefused):
    """There is no such topic (any more), and it may not be created on first use."""

    code = wire.UNKNOWN_TOPIC.name


class TopicExists(RequestRefused):
    """A topic of this name exists."""

    code = wire.TOPIC_EXISTS.name


class PartitionNotFound(RequestRefused):
    """The topic has fewer partitions."""

    code = wire.UNKNOWN_PARTITION.name


class GroupNotFound(RequestRefused):
    """The topic has no such group."""

    code = wire.UNKNOWN_GROUP.name


class GroupBusy(RequestRefused):
    """The group has members; this needs one without."""

    code = wire.GROUP_BUSY.name


class LeaseLost(RequestRefused):
    """The message is not this consumer's any more: nothing was settled, and it comes again."""

    code = wire.LEASE_LOST.name


class ScheduleNotFound(RequestRefused):
    """There is no such pending schedule: never was, has fired, or was cancelled."""

    code = wire.UNKNOWN_SCHEDULE.name


class OffsetOutOfRange(RequestRefused):
    """The offset is not in the log yet."""

    code = wire.OFFSET_OUT_OF_RANGE.name


class Unauthenticated(RequestRefused):
    """The broker does not accept the credentials."""

    code = wire.UNAUTHENTICATED.name


class Forbidden(RequestRefused):
    """The credentials do not allow this."""

    code = wire.FORBIDDEN.name


class StorageFailed(RequestRefused):
    """The log of this partition is damaged; the broker's log says where, and how to repair it."""

    code = wire.STORAGE_FAILED.name


class CorruptBatch(Error):
    """A batch arrived that is not what was once published; none of its records is handed out."""

    code = wire.BAD_BATCH.name


class ProtocolViolation(Error):
    """The other side does not speak the protocol: is this a TapeMQ broker, and the right port?"""

    code = wire.PROTOCOL_ERROR.name


_CLASSES: Final[dict[str, Callable[[str, ErrorKind], Error]]] = {
    kind.code: kind
    for kind in (
        PayloadTooLarge, Fenced, TopicNotFound, TopicExists, PartitionNotFound, GroupNotFound,
        GroupBusy, LeaseLost, ScheduleNotFound, OffsetOutOfRange, Unauthenticated, Forbidden,
        StorageFailed,
    )
}  # fmt: skip


def from_failure(failure: Any) -> Error:
    """The error that a Failure message (``tapemq.wire.messages.Failure``) stands for."""
    kind = ERRORS.get(failure.code)
    if kind is None:
        text = f"error {failure.code}: {failure.text}"
        if failure.retry_after_ms:
            return Overloaded(text, retry_after=failure.retry_after_ms / 1000)
        return RequestRefused(text)
    text = failure.text or kind.meaning
    if kind in (wire.OVERLOADED, wire.DISK_FULL):
        backing_off = DiskFull if kind is wire.DISK_FULL else Overloaded
        return backing_off(text, kind, retry_after=failure.retry_after_ms / 1000)
    if kind is wire.DEADLINE_EXCEEDED:
        return IndeterminateError(text)
    if kind is wire.NOT_HERE:
        return NotHere(text, failure.address)
    if kind in (wire.PROTOCOL_ERROR, wire.UNSUPPORTED_VERSION):
        return ProtocolViolation(text)
    if kind in (wire.TIMED_OUT, wire.SHUTTING_DOWN):
        return ConnectionLost(f"the broker ended the session: {text}")
    return _CLASSES.get(kind.name, RequestRefused)(text, kind)


def again(error: Error) -> Error:
    """An error that may have been raised before, to be raised now.

    It would keep the frames of each time, and with them the records that they were about.
    """
    return error.with_traceback(None)


class NotHere(RequestRefused):
    """Another broker, at ``address``, serves this; the client goes there by itself."""

    code = wire.NOT_HERE.name

    def __init__(self, text: str, address: str) -> None:
        super().__init__(text, wire.NOT_HERE)
        self.address = address
