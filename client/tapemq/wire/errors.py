"""The errors of the protocol: code, name, fate, and whether trying again can help."""

from enum import Enum
from typing import Final, NamedTuple


class Fate(Enum):
    """What an error means for the connection that it came on."""

    ANSWERED = "answered"
    CLOSED = "answered and closed"


class ErrorKind(NamedTuple):
    """A row of the error table in protocol.md."""

    code: int
    name: str
    fate: Fate
    retryable: bool
    meaning: str


def _table(*rows: ErrorKind) -> dict[int, ErrorKind]:
    return {row.code: row for row in rows}


_A, _C = Fate.ANSWERED, Fate.CLOSED

PROTOCOL_ERROR: Final = ErrorKind(1, "protocol_error", _C, False, "Bytes that break the protocol.")
UNSUPPORTED_VERSION: Final = ErrorKind(
    2, "unsupported_version", _C, False, "No protocol version in common."
)
UNAUTHENTICATED: Final = ErrorKind(3, "unauthenticated", _C, False, "Credentials were refused.")
TIMED_OUT: Final = ErrorKind(
    4, "timed_out", _C, True, "Silence: no handshake in time, or heartbeats missed."
)
SHUTTING_DOWN: Final = ErrorKind(5, "shutting_down", _C, True, "The broker is stopping.")
LIMIT_EXCEEDED: Final = ErrorKind(
    6, "limit_exceeded", _C, False, "The connection went over a limit or its credit."
)
OVERLOADED: Final = ErrorKind(
    7, "overloaded", _A, True, "Not now; try again after `retry_after_ms`."
)
DEADLINE_EXCEEDED: Final = ErrorKind(
    8, "deadline_exceeded", _A, True, "The request's deadline passed; its outcome is unknown."
)
BAD_REQUEST: Final = ErrorKind(
    9, "bad_request", _A, False, "A well-formed request asks for what cannot be."
)
FORBIDDEN: Final = ErrorKind(10, "forbidden", _A, False, "The principal may not do this.")
STORAGE_FAILED: Final = ErrorKind(
    11, "storage_failed", _A, False, "The log of this partition is damaged; see the broker's log."
)
UNKNOWN_TOPIC: Final = ErrorKind(20, "unknown_topic", _A, False, "There is no such topic.")
TOPIC_EXISTS: Final = ErrorKind(21, "topic_exists", _A, False, "The name is taken.")
STALE_METADATA: Final = ErrorKind(
    22, "stale_metadata", _A, True, "The topic was re-created or changed; describe it again."
)
NOT_HERE: Final = ErrorKind(
    23, "not_here", _A, True, "Another broker serves this partition: `address`."
)
UNKNOWN_PARTITION: Final = ErrorKind(
    24, "unknown_partition", _A, False, "The topic has fewer partitions."
)
BAD_BATCH: Final = ErrorKind(
    30, "bad_batch", _A, False, "The body's checksum, count, lengths or sizes are wrong."
)
BATCH_TOO_LARGE: Final = ErrorKind(
    31, "batch_too_large", _A, False, "The batch or a record is over the broker's limit."
)
OUT_OF_ORDER: Final = ErrorKind(
    32, "out_of_order", _A, True, "A batch before this one is missing; send from there."
)
FENCED: Final = ErrorKind(
    33, "fenced", _A, False, "A newer epoch of this producer, or owner of this partition, exists."
)
UNKNOWN_PRODUCER: Final = ErrorKind(
    34, "unknown_producer", _A, False, "The producer was forgotten: too old a retry to judge."
)
DISK_FULL: Final = ErrorKind(35, "disk_full", _A, True, "The broker's disk is full.")
UNKNOWN_GROUP: Final = ErrorKind(40, "unknown_group", _A, False, "There is no such group.")
OFFSET_OUT_OF_RANGE: Final = ErrorKind(
    41, "offset_out_of_range", _A, False, "The offset is not in the log (any more, or yet)."
)
UNKNOWN_SUBSCRIPTION: Final = ErrorKind(
    42, "unknown_subscription", _A, False, "There is no such subscription here."
)
GROUP_BUSY: Final = ErrorKind(
    43, "group_busy", _A, False, "The group has members, or a seek of it goes on."
)
LEASE_LOST: Final = ErrorKind(44, "lease_lost", _A, False, "The lease is not held any more.")
UNKNOWN_SCHEDULE: Final = ErrorKind(
    45, "unknown_schedule", _A, False, "There is no such pending schedule."
)
UNKNOWN_SESSION: Final = ErrorKind(
    46, "unknown_session", _C, False, "The session to keep alive is over."
)

ERRORS: Final = _table(
    PROTOCOL_ERROR,
    UNSUPPORTED_VERSION,
    UNAUTHENTICATED,
    TIMED_OUT,
    SHUTTING_DOWN,
    LIMIT_EXCEEDED,
    OVERLOADED,
    DEADLINE_EXCEEDED,
    BAD_REQUEST,
    FORBIDDEN,
    STORAGE_FAILED,
    UNKNOWN_TOPIC,
    TOPIC_EXISTS,
    STALE_METADATA,
    NOT_HERE,
    UNKNOWN_PARTITION,
    BAD_BATCH,
    BATCH_TOO_LARGE,
    OUT_OF_ORDER,
    FENCED,
    UNKNOWN_PRODUCER,
    DISK_FULL,
    UNKNOWN_GROUP,
    OFFSET_OUT_OF_RANGE,
    UNKNOWN_SUBSCRIPTION,
    GROUP_BUSY,
    LEASE_LOST,
    UNKNOWN_SCHEDULE,
    UNKNOWN_SESSION,
)


class ProtocolError(Exception):
    """The other side broke the protocol; the connection ends with ``kind``."""

    def __init__(self, text: str, kind: ErrorKind = PROTOCOL_ERROR) -> None:
        super().__init__(text)
        self.kind = kind
