"""What is left to read until the end that a topic had when reading began."""

import tapemq
from tapemq_broker.cli.errors import CommandError


class Remaining:
    """By partition, the place where reading ends; a partition is gone when it is reached."""

    def __init__(self, client: tapemq.Client, topic: str, group: str | None) -> None:
        self._client = client
        self._topic = topic
        self._group = group
        self._ends: dict[int, int] = {}

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return not self._ends

    async def begin(self, start: tapemq.Start, partition: int | None) -> None:
        """Note the ends of now, of one partition or all. `start` is where a new reader begins; a
        group that there is goes on where it was.

        Raises PartitionNotFound, and OffsetOutOfRange for a start that the broker would refuse.
        """
        found = await self._client.partitions(self._topic)
        chosen = [part for part in found if partition in (None, part.partition)]
        if not chosen:
            raise tapemq.PartitionNotFound(
                f"topic {self._topic!r} has no partition {partition}: it has {len(found)}, counted "
                "from 0"
            )
        cursors = await self._cursors()
        for part in chosen:
            cursor = cursors.get(part.partition)
            first = await self._first(part, start) if cursor is None else cursor
            if first < part.visible_offset:
                self._ends[part.partition] = part.visible_offset
        await self.look()

    async def _first(self, part: tapemq.PartitionInfo, start: tapemq.Start) -> int:
        if start == "earliest":
            return part.first_offset
        if start == "latest":
            return part.visible_offset
        if isinstance(start, int):
            if start > part.next_offset and not self._group:
                raise tapemq.OffsetOutOfRange(f"{extent(part)}; {start} is beyond")
            return start
        found = await self._client.partition(self._topic, part.partition, at=start)
        return part.visible_offset if found.time_offset is None else found.time_offset

    def reached(self, partition: int, next_offset: int) -> None:
        """Everything below an offset of a partition was read."""
        if next_offset >= self._ends.get(partition, next_offset + 1):
            del self._ends[partition]

    async def look(self) -> None:
        """See what will never come: read by others of the group, or removed by retention."""
        for part in await self._client.partitions(self._topic):
            self.reached(part.partition, part.first_offset)
        for partition, cursor in (await self._cursors()).items():
            self.reached(partition, cursor)

    async def _cursors(self) -> dict[int, int]:
        """Where the group goes on, wherever others would start; nothing if there is none."""
        if self._group is None or self._group not in await self._client.groups(self._topic):
            return {}
        found = await self._client.group(self._topic, self._group)
        if found.kind == "queue":
            # The broker says so to who subscribes, which nobody does where nothing is left.
            raise CommandError(
                f"group {self._group} of topic {self._topic} is a queue group",
                f"take its messages: tapemq sub {self._topic} --queue {self._group}",
            )
        return {place.partition: place.cursor for place in found.partitions}


def extent(part: tapemq.PartitionInfo) -> str:
    """Which offsets there are, in words."""
    place = f"partition {part.partition}"
    if part.first_offset == part.visible_offset:
        return f"{place} has no records, its next offset is {part.next_offset}"
    return (
        f"{place} has the offsets {part.first_offset} to {part.visible_offset - 1}, "
        f"its next one is {part.next_offset}"
    )
