"""The admin calls for schedules without I/O; see ``tapemq.inquiries``."""

from typing import NamedTuple

from tapemq.inquiries import Inquiry, Step
from tapemq.schedules.info import (
    ScheduledRecord,
    ScheduleInfo,
    schedule_info,
    scheduled_record,
)
from tapemq.wire import messages as m
from tapemq.wire.names import check_name
from tapemq.wire.pages import unpack_page


class Name(NamedTuple):
    """How a schedule is named."""

    schedule_id: int
    key: bytes


class Page(NamedTuple):
    """Some schedules, in order; ``total`` are pending."""

    schedules: list[ScheduleInfo]
    more: bool
    total: int


def name_of(schedule_id: int | None, key: bytes | str | None) -> Name:
    """Raises ValueError unless one of them is given."""
    if (schedule_id is None) == (key is None):
        raise ValueError("give schedule_id or key: one of them")
    return Name(schedule_id or 0, wire_key(key))


def wire_key(key: bytes | str | None) -> bytes:
    """A caller's key as bytes; empty if there is none. Raises ValueError for an empty one."""
    if key is None:
        return b""
    if not key:
        raise ValueError("a schedule's key is not empty")
    return key.encode() if isinstance(key, str) else key


def _topic_id(topic: str) -> Inquiry[int]:
    (answer,) = yield Step([m.DescribeTopic(check_name("topic", topic))])
    topic_id: int = answer.topic_id
    return topic_id


def get(topic: str, name: Name) -> Inquiry[tuple[ScheduleInfo, ScheduledRecord]]:
    topic_id = yield from _topic_id(topic)
    (reply,) = yield Step([m.GetSchedule(topic_id, *name)])
    return schedule_info(topic, reply.message._asdict()), scheduled_record(reply.payload)


def cancel(topic: str, name: Name) -> Inquiry[None]:
    topic_id = yield from _topic_id(topic)
    yield Step([m.CancelSchedule(topic_id, *name)], repeatable=False)


def page(topic: str, after_us: int, after_id: int) -> Inquiry[Page]:
    topic_id = yield from _topic_id(topic)
    (reply,) = yield Step([m.ListSchedules(topic_id, after_us, after_id)])
    rows = [schedule_info(topic, row) for row in unpack_page(reply.payload)]
    return Page(rows, reply.message.more, reply.message.total)
