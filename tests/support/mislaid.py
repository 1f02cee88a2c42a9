"""Damage to the index of schedules that nobody meets who reads it."""

import re
from pathlib import Path

from tapemq_broker.storage.schedules.columns import to_blob
from tapemq_broker.storage.schedules.sqlite_index import SqliteScheduleIndex

_INTEGER_BYTES = 8
_LATER_US = 2**61
_HEADER = rb"\x06\x1c\x06..."
"""Of an entry of five columns: a blob of 8 bytes, an integer of 8 bytes, and three others."""


def mislay(path: Path, topic_id: int, due_us: int, later_us: int = _LATER_US) -> None:
    """Have the order of a closed index say that what is due then is due at another time.

    Rows are as they were: only entries in the order by topic and time are changed.
    """
    image = path.read_bytes()
    before, after = (time_us.to_bytes(_INTEGER_BYTES, "big") for time_us in (due_us, later_us))
    topic = to_blob(topic_id)
    entry = re.compile(b"(" + _HEADER + re.escape(topic) + b")" + re.escape(before), re.DOTALL)
    changed, times = entry.subn(lambda found: found[1] + after, image)
    assert times, f"{path} has no entry for {due_us}"
    path.write_bytes(changed)


def name_twice(path: Path, topic_id: int, due_us: int, schedule_id: int, instead_of: int) -> None:
    """Have the order of a closed index name a schedule twice, and another one not.

    Both are due then; ids and numbers of rows are the same, from 2 to 127.
    """
    image = path.read_bytes()
    place = to_blob(topic_id) + due_us.to_bytes(_INTEGER_BYTES, "big")
    before, after = (place + bytes((number, instead_of)) for number in (instead_of, schedule_id))
    assert before in image, f"{path} has no entry for {instead_of}"
    path.write_bytes(image.replace(before, after))


def lose_position(path: Path, topic_id: int, schedule_id: int) -> None:
    """Have the order of positions of a closed index lack a schedule, as far as its topic goes.

    Its only entry is at an offset from 2 to 127, the one that the schedule got first.
    """
    image = path.read_bytes()
    header = re.compile(rb"\x04\x1c\x01[\x01\x09]" + re.escape(to_blob(topic_id)), re.DOTALL)
    places = [
        found.end() - 1 for found in header.finditer(image) if image[found.end()] == schedule_id - 1
    ]
    assert len(places) == 1, f"{path} has {len(places)} entries for {schedule_id}"
    changed = bytearray(image)
    changed[places[0]] ^= 1
    path.write_bytes(changed)


def first_due(path: Path) -> tuple[int, int]:
    """The only topic of a closed index, and when its first schedule is due, in µs."""
    index = SqliteScheduleIndex(path)
    (topic_id,) = index.topics()
    due_us = index.page(topic_id, 0, 0, 1)[0].due_us
    index.close()
    return topic_id, due_us
