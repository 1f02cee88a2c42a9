"""What there is to know of a schedule."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from tapemq.batch import decode_columns, decode_extras
from tapemq.batch.extras import Scalar
from tapemq.infos import time_of

_EVERY_MS_MAX: Final = timedelta.max // timedelta(milliseconds=1)
"""Other clients may say more, up to 2**63 - 1: then it comes once, and here it is this."""


class ScheduleInfo(NamedTuple):
    """A pending schedule."""

    topic: str
    schedule_id: int
    partition: int
    due: datetime
    """When it comes next, in UTC."""
    schedule_key: bytes | None
    """The caller's name for it."""
    cron: str | None
    time_zone: str
    """Of ``cron``."""
    every: timedelta | None
    catch_up: str
    created: datetime
    """When it came to the broker, in UTC."""
    fired: int
    """How often it has come into its topic."""


class ScheduledRecord(NamedTuple):
    """A record that is to come."""

    value: bytes | None
    key: bytes | None
    headers: Mapping[str, Scalar]


def schedule_info(topic: str, fields: Mapping[str, Any]) -> ScheduleInfo:
    """Out of the fields of the protocol."""
    due, created = time_of(fields["due_us"]), time_of(fields["created_us"])
    assert due is not None
    assert created is not None
    return ScheduleInfo(
        topic=topic,
        schedule_id=fields["schedule_id"],
        partition=fields["partition"],
        due=due,
        schedule_key=fields["key"] or None,
        cron=fields["cron"] or None,
        time_zone=fields["time_zone"],
        every=_every(fields["every_ms"]),
        catch_up=fields["catch_up"],
        created=created,
        fired=fields["fired"],
    )


def _every(every_ms: int) -> timedelta | None:
    return timedelta(milliseconds=min(every_ms, _EVERY_MS_MAX)) if every_ms else None


def scheduled_record(body: bytes) -> ScheduledRecord:
    """The record of a body of one."""
    columns = decode_columns(body)
    value, key = columns.values[0], None if columns.keys is None else columns.keys[0]
    extras = b"" if columns.extras is None else columns.extras[0]
    headers = decode_extras(extras)[0] if extras else {}
    return ScheduledRecord(value, key, headers)
