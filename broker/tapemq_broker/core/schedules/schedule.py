"""A schedule: a record, and when it is to come into its topic."""

from typing import Any, Final, NamedTuple

import msgpack

from tapemq.batch import Columns, decode_columns, decode_prefix, encode_body
from tapemq.batch.expiry import EXPIRY
from tapemq_broker.core.packed import BadEntry, check, check_list, unpack

SCHEDULER_ID: Final = 2**64 - 1
"""The producer as which schedules are appended; nobody else may have this id."""

INTEGER_MAX: Final = 2**63 - 1
"""Of any number of a schedule: an index keeps integers of 63 bits."""

CATCH_UPS: Final = ("all", "last", "none")


class Recurrence(NamedTuple):
    """When a schedule comes again: by ``cron`` in a time zone, or ``every_ms``; else once."""

    cron: str = ""
    time_zone: str = "UTC"
    every_ms: int = 0
    catch_up: str = "last"

    @property
    def is_once(self) -> bool:
        """Whether it comes once only."""
        return not self.cron and not self.every_ms


ONCE: Final = Recurrence()


class Schedule(NamedTuple):
    """A pending schedule; its id is never 0.

    ``record`` is packed; ``fired`` counts what was appended until now.
    """

    schedule_id: int
    due_us: int
    partition: int
    key: bytes
    record: bytes
    created_us: int
    recurrence: Recurrence = ONCE
    fired: int = 0


class Move(NamedTuple):
    """A schedule is due at another time from now on; 0: it is done."""

    schedule_id: int
    due_us: int
    fired: int


def pack_records(body: bytes | memoryview) -> list[bytes]:
    """The records of a body, each packed. Raises BatchError."""
    columns = decode_columns(body)
    count = len(columns.values)
    keys = columns.keys or (None,) * count
    extras = columns.extras or (b"",) * count
    expires = bool(decode_prefix(body).flags & EXPIRY)
    return [
        bytes(msgpack.packb((_plain(value), _plain(key), bytes(extra), expires)))
        for value, key, extra in zip(columns.values, keys, extras, strict=True)
    ]


def _plain(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def check_record(record: bytes) -> None:
    """Raise BadEntry unless it is a packed record."""
    fields = check_list(unpack(record), ())
    if len(fields) != 4:
        raise BadEntry(f"a record has {len(fields)} parts")
    for item in fields[:2]:
        if item is not None:
            check(item, bytes, "a value or a key")
    check_list(fields[2:], (bytes, bool))


def columns_of(records: list[bytes]) -> Columns:
    """Packed records as columns."""
    rows = [msgpack.unpackb(record) for record in records]
    values = [row[0] for row in rows]
    keys = [row[1] for row in rows]
    extras = [row[2] for row in rows]
    has_keys = any(key is not None for key in keys)
    return Columns(values, keys if has_keys else None, extras if any(extras) else None)


def flags_of(records: list[bytes]) -> int:
    """What the flags of a body of packed records must say of them."""
    return EXPIRY if any(msgpack.unpackb(record)[3] for record in records) else 0


def body_of(record: bytes) -> bytes:
    """A packed record as a body."""
    return encode_body(columns_of([record]), flags=flags_of([record]))
