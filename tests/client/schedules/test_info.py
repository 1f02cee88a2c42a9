from datetime import UTC, datetime, timedelta

from tapemq.batch import Columns, encode_body
from tapemq.batch.extras import encode_extras
from tapemq.schedules.info import ScheduledRecord, schedule_info, scheduled_record

FIELDS = {
    "schedule_id": 7,
    "partition": 1,
    "due_us": 2_000_000,
    "key": b"k",
    "cron": "",
    "time_zone": "UTC",
    "every_ms": 1500,
    "catch_up": "all",
    "created_us": 1_000_000,
    "fired": 3,
}


def test_the_fields_of_the_protocol() -> None:
    info = schedule_info("t", FIELDS)
    assert (info.topic, info.schedule_id, info.partition, info.fired) == ("t", 7, 1, 3)
    assert info.due == datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert info.created == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert (info.schedule_key, info.cron, info.every) == (b"k", None, timedelta(seconds=1.5))


def test_what_is_not_given_is_none() -> None:
    info = schedule_info("t", FIELDS | {"key": b"", "every_ms": 0, "cron": "* * * * *"})
    assert (info.schedule_key, info.cron, info.every) == (None, "* * * * *", None)


def test_an_interval_beyond_those_of_python_is_the_longest() -> None:
    """Any client may have made it: the page that it is on must be read all the same."""
    info = schedule_info("t", FIELDS | {"every_ms": 2**63 - 1})
    assert info.every is not None
    assert timedelta.max - info.every < timedelta(milliseconds=1)


def test_the_record_of_a_body() -> None:
    body = encode_body(Columns([b"v"], [b"k"], [encode_extras({"h": 1})]))
    assert scheduled_record(body) == ScheduledRecord(b"v", b"k", {"h": 1})
    assert scheduled_record(encode_body(Columns([None]))) == ScheduledRecord(None, None, {})
