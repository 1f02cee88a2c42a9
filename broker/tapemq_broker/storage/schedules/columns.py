"""The columns of the index's tables: checked types, and a checksum at the end of each row.

In SQLite any value may be of any type, and nothing says when a bit of the file has changed.
"""

from collections.abc import Sequence
from typing import Any, Final

from tapemq.batch import checksum
from tapemq_broker.storage.schedules.index import BeginFiring, DueRow, IndexDamaged, Row

INTEGER_MAX: Final = 2**63 - 1
"""SQLite's largest."""

_ID_BYTES: Final = 8
_SCHEDULE: Final = (bytes, int, int, int, int, bytes, int, bytes, bytes)
_FIRING: Final = (bytes, int, int, bytes)


def to_blob(topic_id: int) -> bytes:
    """SQLite's integers are signed, and ids use all 64 bits."""
    return topic_id.to_bytes(_ID_BYTES, "big")


def to_topic_id(column: Any) -> int:
    """The inverse. Raises IndexDamaged."""
    if type(column) is not bytes or len(column) != _ID_BYTES:
        raise IndexDamaged(f"the id of a topic is no {_ID_BYTES} bytes")
    return int.from_bytes(column, "big")


def with_checksum(*columns: Any) -> tuple[Any, ...]:
    """A row to put: bytes, integers and None."""
    return (*columns, _checksum(columns))


def topic_of(row: tuple[Any, ...]) -> tuple[int, int, int]:
    """How far a topic is read, how many schedules are pending, and firings under way.

    Raises IndexDamaged, as the following do.
    """
    # When the first schedule is due, if there is one, would hide the topic from who looks for it.
    first = int if row[4] is not None else type(None)
    _, upto, count, firings, _ = _sound(row, bytes, int, int, int, first)
    return upto, count, firings


def firing_of(row: tuple[Any, ...]) -> BeginFiring:
    """A firing that is under way."""
    return BeginFiring(*_sound(row, *_FIRING)[1:])


def schedule_of(row: tuple[Any, ...]) -> DueRow:
    """A schedule that is pending."""
    topic, *fields = _sound(row, *_SCHEDULE)
    return DueRow(to_topic_id(topic), Row(*fields))


def checked(columns: tuple[Any, ...], *types: type) -> tuple[Any, ...]:
    """What a part of a row says, which has no checksum. Raises IndexDamaged."""
    if any(type(value) is int and value < 0 for value in _typed(columns, *types)):
        raise IndexDamaged("a row has a number below 0")
    return columns


def _typed(columns: tuple[Any, ...], *types: type) -> tuple[Any, ...]:
    if tuple(map(type, columns)) != types:
        found = ", ".join(type(value).__name__ for value in columns)
        raise IndexDamaged(f"a row is of the types {found}")
    return columns


def _sound(row: tuple[Any, ...], *types: type) -> tuple[Any, ...]:
    """The columns before the checksum."""
    *columns, known = _typed(row, *types, int)
    if _checksum(columns) != known:
        raise IndexDamaged(f"a row of topic {row[0].hex()} does not match its checksum")
    return tuple(columns)


def _checksum(columns: Sequence[Any]) -> int:
    """Over the numbers and lengths, which tell the columns apart, and then over all bytes."""
    told, blobs = [], []
    for value in columns:
        if type(value) is bytes:
            blobs.append(value)
            told.append(len(value))
        else:
            told.append(value)
    return checksum(b"".join(blobs), checksum(repr(told).encode()))
