"""All that a broker says of its data, as text that can be kept and compared."""

from pathlib import Path
from typing import Any, Final

import tapemq
from tests.support.sources import ROOT

GOLDEN: Final = ROOT / "tests" / "golden" / "data_1"
"""Directories of format 1, each with a JSON file of what is in it."""

SETTINGS: Final[dict[str, Any]] = {"segment_bytes": 4096, "mark_idle_s": 0.01}

_DEAD_FIELDS: Final = (
    *("partition", "offset", "reason", "error", "failures", "crashes", "replays"),
    "died_at",
)
_SCHEDULE_FIELDS: Final = (
    *("topic", "schedule_id", "partition", "due", "schedule_key", "cron", "time_zone", "every"),
    *("catch_up", "created", "fired"),
)


def files_of(directory: Path) -> dict[str, bytes]:
    """The path and the bytes of every file."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


async def contents_of(client: tapemq.Client) -> dict[str, object]:
    """Topics, records, groups, dead records and schedules. Changes nothing."""
    return {topic: await _topic(client, topic) for topic in await client.topics()}


async def _topic(client: tapemq.Client, topic: str) -> dict[str, object]:
    info = await client.topic(topic)
    return {
        "topic_id": info.topic_id,
        "partitions": info.partitions,
        "settings": dict(sorted(info.settings.items())),
        "records": await _records(client, topic),
        "groups": {name: await _group(client, topic, name) for name in await client.groups(topic)},
        "schedules": await _schedules(client, topic),
    }


async def _records(client: tapemq.Client, topic: str) -> dict[str, list[list[object]]]:
    """By partition, in the order in which they come."""
    partitions = await client.partitions(topic)
    records: dict[str, list[list[object]]] = {str(one.partition): [] for one in partitions}
    left = sum(one.visible_offset - one.first_offset for one in partitions)
    async with client.stream(topic, start="earliest") as stream:
        while left:
            record = await anext(aiter(stream))
            left -= 1
            expires = record.expires_at and record.expires_at.isoformat()
            records[str(record.partition)].append(
                [
                    record.offset,
                    _text(record.key),
                    _text(record.value),
                    {name: repr(value) for name, value in record.headers.items()},
                    record.timestamp.isoformat(),
                    expires,
                ]
            )
    return records


async def _group(client: tapemq.Client, topic: str, name: str) -> dict[str, object]:
    info = await client.group(topic, name)
    common: dict[str, object] = {"kind": info.kind, "hold": info.hold}
    if info.kind == "stream":
        cursors = [[one.partition, one.cursor] for one in info.partitions]
        times = [str(one.commit_time) for one in info.partitions]
        return common | {"cursors": cursors, "commit_times": times}
    queue = await client.describe_queue(topic, name)
    return common | {
        "settings": {key: repr(value) for key, value in sorted(queue.settings.items())},
        # What waits for a retry that is due is ready one tick after the start.
        "partitions": [
            [one.partition, one.ack_floor, one.ready + one.retrying, one.dead,
             one.settled_above_floor]
            for one in queue.partitions
        ],
        "dead": [_fields(dead, _DEAD_FIELDS) for dead in await client.dead(topic, name)],
    }  # fmt: skip


async def _schedules(client: tapemq.Client, topic: str) -> list[list[str]]:
    found = []
    schedules = client.schedules(topic)
    async for info in schedules.list():
        record = await schedules.record(info.schedule_id)
        found.append([*_fields(info, _SCHEDULE_FIELDS), repr(record)])
    return found


def _fields(row: object, names: tuple[str, ...]) -> list[str]:
    """Those that there were when the directory was made: later versions may tell more."""
    return [str(getattr(row, name)) for name in names]


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("latin-1")
