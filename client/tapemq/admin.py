"""Topics, groups and the broker: looking at them and changing them."""

import asyncio
from datetime import timedelta
from typing import Any

from tapemq.infos import (
    BrokerInfo,
    GroupInfo,
    GroupPartition,
    PartitionInfo,
    Setting,
    TopicInfo,
    time_of,
)
from tapemq.network.link import Link
from tapemq.streams.start import Start, wire_start
from tapemq.wire import messages as m
from tapemq.wire.messages import Message
from tapemq.wire.names import check_name

_AT_ONCE = 64
"""So many requests about partitions are in flight at a time."""


class Admin:
    """The client's admin calls. All raise TimeoutError after the client's timeout."""

    def __init__(self, link: Link, timeout_s: float) -> None:
        self._link = link
        self._timeout_s = timeout_s

    async def _call(self, request: Message, *, repeatable: bool = True) -> Any:
        return await self._link.call(request, self._timeout_s, repeatable=repeatable)

    # Topics

    async def create_topic(self, name: str, partitions: int = 1, **settings: Setting) -> TopicInfo:
        """Create a topic.

        Args:
            name: 1 to 200 letters, digits and ``. _ @ -``, not starting with a dot.
            partitions: 1 to 1024. There can be more later, never fewer.
            settings: e.g. ``retention_bytes``; what is not given has the broker's default.

        Raises:
            TopicExists: the name is taken.
            RequestRefused: a setting is not known, or its value not allowed.
            IndeterminateError: the connection was lost before the answer came.
        """
        request = m.CreateTopic(check_name("topic", name), partitions, settings)
        return _topic_info(await self._call(request, repeatable=False))

    async def topic(self, name: str) -> TopicInfo:
        """Look a topic up. Raises TopicNotFound."""
        return _topic_info(await self._describe(name))

    async def _describe(self, name: str) -> m.Topic:
        topic: m.Topic = await self._call(m.DescribeTopic(check_name("topic", name)))
        return topic

    async def topics(self) -> list[str]:
        """The names of all topics, in order."""
        return await self._names(lambda after: m.ListTopics(after))

    async def _names(self, page: Any) -> list[str]:
        names: list[str] = []
        while True:
            answer = await self._call(page(names[-1] if names else ""))
            names += answer.names
            if not (answer.more and answer.names):
                return names

    async def alter_topic(
        self, name: str, *, partitions: int | None = None, **settings: Setting
    ) -> TopicInfo:
        """Change settings, or raise the number of partitions. Raises as create_topic()."""
        request = m.AlterTopic(check_name("topic", name), partitions or 0, settings)
        return _topic_info(await self._call(request))

    async def delete_topic(self, name: str) -> None:
        """Delete a topic with all its records and groups.

        Raises TopicNotFound, or IndeterminateError if the connection was lost before the answer.
        """
        await self._call(m.DeleteTopic(check_name("topic", name)), repeatable=False)

    async def partition(
        self, topic: str, partition: int, *, at: Start | None = None
    ) -> PartitionInfo:
        """A partition's offsets. With ``at`` (a datetime) also the first offset appended then or
        later. Raises TopicNotFound, PartitionNotFound."""
        known = await self._describe(topic)
        return await self._partition(known, partition, _time_us(at))

    async def partitions(self, topic: str) -> list[PartitionInfo]:
        """All partitions' offsets. Raises TopicNotFound."""
        known = await self._describe(topic)
        found: list[PartitionInfo] = []
        for first in range(0, known.partitions, _AT_ONCE):
            some = range(first, min(known.partitions, first + _AT_ONCE))
            found += await asyncio.gather(*(self._partition(known, p, 0) for p in some))
        return found

    async def _partition(self, topic: m.Topic, partition: int, time_us: int) -> PartitionInfo:
        answer: m.Partition = await self._call(
            m.DescribePartition(topic.topic_id, partition, time_us)
        )
        return PartitionInfo(
            topic=topic.topic,
            partition=partition,
            first_offset=answer.first_offset,
            visible_offset=answer.visible_offset,
            durable_offset=answer.durable_offset,
            next_offset=answer.next_offset,
            size_bytes=answer.size_bytes,
            log_epoch=answer.log_epoch,
            last_append_time=time_of(answer.last_append_time_us),
            time_offset=answer.time_offset if time_us else None,
        )

    # Groups

    async def groups(self, topic: str) -> list[str]:
        """The names of a topic's groups, in order. Raises TopicNotFound."""
        topic_id = (await self._describe(topic)).topic_id
        return await self._names(lambda after: m.ListGroups(topic_id, after))

    async def group(self, topic: str, name: str) -> GroupInfo:
        """Where a group is, by partition. Raises TopicNotFound, GroupNotFound."""
        known = await self._describe(topic)
        check_name("group", name)
        answers: list[m.Group] = []
        for first in range(0, known.partitions, _AT_ONCE):
            some = range(first, min(known.partitions, first + _AT_ONCE))
            answers += await asyncio.gather(
                *(self._call(m.DescribeGroup(known.topic_id, name, p)) for p in some)
            )
        head = answers[0]
        parts = tuple(_group_partition(p, answer) for p, answer in enumerate(answers))
        return GroupInfo(topic, name, head.kind, head.hold, head.members, parts)

    async def seek_group(
        self, topic: str, group: str, to: Start, *, partition: int | None = None
    ) -> None:
        """Set a group's position, durably; it may have members. Creates the group if need be.

        Args:
            to: "earliest", "latest", an offset, or a datetime (the first record appended then).
            partition: a number, from 0; by default all.

        Raises:
            TopicNotFound, PartitionNotFound, OffsetOutOfRange: beyond the end.
        """
        known = await self._describe(topic)
        start = wire_start(to)
        check_name("group", group)
        for target in range(known.partitions) if partition is None else [partition]:
            await self._call(m.Seek(known.topic_id, group, target, start.start, start.value))

    async def alter_group(self, topic: str, group: str, *, hold: bool) -> None:
        """Let retention keep what the group has not read, or not. Raises TopicNotFound,
        GroupNotFound."""
        topic_id = (await self._describe(topic)).topic_id
        await self._call(m.AlterGroup(topic_id, check_name("group", group), hold))

    async def delete_group(self, topic: str, group: str) -> None:
        """Forget a group and its positions.

        Raises TopicNotFound, GroupNotFound, GroupBusy if it has members, IndeterminateError if
        the connection was lost before the answer came.
        """
        topic_id = (await self._describe(topic)).topic_id
        request = m.DeleteGroup(topic_id, check_name("group", group))
        await self._call(request, repeatable=False)

    # The broker

    async def status(self) -> BrokerInfo:
        """How the broker is."""
        answer: m.Status = await self._call(m.BrokerStatus())
        return BrokerInfo(answer.software, timedelta(milliseconds=answer.uptime_ms), *answer[2:9])


def _topic_info(topic: m.Topic) -> TopicInfo:
    return TopicInfo(topic.topic, topic.topic_id, topic.partitions, topic.version, topic.settings)


def _group_partition(partition: int, answer: m.Group) -> GroupPartition:
    return GroupPartition(
        partition,
        answer.cursor,
        answer.lag,
        answer.generation,
        answer.member,
        time_of(answer.commit_time_us),
    )


def _time_us(at: Start | None) -> int:
    return 0 if at is None else wire_start(at).value
