"""The admin calls without I/O: each is a generator of the requests that it takes.

It yields a Step, is sent the answers to it (in the order of its requests), and returns what the
caller gets. Both clients run the same ones, so that they cannot differ.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple, TypeVar

from tapemq.infos import (
    BrokerInfo,
    GroupInfo,
    GroupPartition,
    PartitionInfo,
    Setting,
    TopicInfo,
    time_of,
)
from tapemq.streams.start import Start, wire_start
from tapemq.wire import messages as m
from tapemq.wire.messages import Message
from tapemq.wire.names import check_name

T = TypeVar("T")

_AT_ONCE: Final = 64
"""So many requests about partitions are in flight at a time."""


class Step(NamedTuple):
    """Requests that can be made at the same time.

    ``repeatable``: having one done twice is as good as once. What is not is never sent again once
    it may have arrived. ``payload`` is that of each request.
    """

    requests: Sequence[Message]
    repeatable: bool = True
    payload: bytes = b""


Inquiry = Generator[Step, list[Any], T]
"""See the module's text."""


def ask(request: Message, *, repeatable: bool = True) -> Inquiry[Any]:
    """One request. Its answer comes as a Reply if it is of a kind that may have a payload."""
    (answer,) = yield Step([request], repeatable)
    return answer


# Topics


def create_topic(name: str, partitions: int, settings: Mapping[str, Setting]) -> Inquiry[TopicInfo]:
    request = m.CreateTopic(check_name("topic", name), partitions, dict(settings))
    return _topic_info((yield from ask(request, repeatable=False)))


def topic(name: str) -> Inquiry[TopicInfo]:
    return _topic_info((yield from describe_topic(name)))


def describe_topic(name: str) -> Inquiry[m.Topic]:
    """Id and partitions of a topic."""
    answer: m.Topic = yield from ask(m.DescribeTopic(check_name("topic", name)))
    return answer


def topics() -> Inquiry[list[str]]:
    return (yield from _names(m.ListTopics))


def _names(page: Callable[[str], Message]) -> Inquiry[list[str]]:
    names: list[str] = []
    while True:
        answer = yield from ask(page(names[-1] if names else ""))
        names += answer.names
        if not (answer.more and answer.names):
            return names


def alter_topic(
    name: str, partitions: int | None, settings: Mapping[str, Setting]
) -> Inquiry[TopicInfo]:
    if partitions is not None and partitions < 1:
        raise ValueError(f"partitions is {partitions}: it can be raised only, up to 1024")
    request = m.AlterTopic(check_name("topic", name), partitions or 0, dict(settings))
    return _topic_info((yield from ask(request)))


def delete_topic(name: str) -> Inquiry[None]:
    yield from ask(m.DeleteTopic(check_name("topic", name)), repeatable=False)


def partition(topic: str, number: int, at: Start | None) -> Inquiry[PartitionInfo]:
    time_us = 0 if at is None else wire_start(at).value
    known = yield from describe_topic(topic)
    answer = yield from ask(m.DescribePartition(known.topic_id, number, time_us))
    return _partition_info(known, number, answer, time_us)


def partitions(topic: str) -> Inquiry[list[PartitionInfo]]:
    known = yield from describe_topic(topic)
    answers = yield from of_all_partitions(
        known, lambda number: m.DescribePartition(known.topic_id, number, 0)
    )
    return [_partition_info(known, number, answer, 0) for number, answer in enumerate(answers)]


def of_all_partitions(topic: m.Topic, request: Callable[[int], Message]) -> Inquiry[list[Any]]:
    """The answers for each partition, some at a time."""
    answers: list[Any] = []
    for first in range(0, topic.partitions, _AT_ONCE):
        some = range(first, min(topic.partitions, first + _AT_ONCE))
        answers += yield Step([request(number) for number in some])
    return answers


# Groups


def groups(topic: str) -> Inquiry[list[str]]:
    topic_id = (yield from describe_topic(topic)).topic_id
    return (yield from _names(lambda after: m.ListGroups(topic_id, after)))


def group(topic: str, name: str) -> Inquiry[GroupInfo]:
    known = yield from describe_topic(topic)
    check_name("group", name)
    answers = yield from of_all_partitions(
        known, lambda number: m.DescribeGroup(known.topic_id, name, number)
    )
    head: m.Group = answers[0]
    parts = tuple(_group_partition(number, answer) for number, answer in enumerate(answers))
    return GroupInfo(topic, name, head.kind, head.hold, head.members, parts)


def seek_group(topic: str, group: str, to: Start, partition: int | None) -> Inquiry[None]:
    known = yield from describe_topic(topic)
    start = wire_start(to)
    check_name("group", group)
    for target in range(known.partitions) if partition is None else [partition]:
        yield from ask(m.Seek(known.topic_id, group, target, start.start, start.value))


def alter_group(topic: str, group: str, hold: bool) -> Inquiry[None]:
    topic_id = (yield from describe_topic(topic)).topic_id
    yield from ask(m.AlterGroup(topic_id, check_name("group", group), hold))


def delete_group(topic: str, group: str) -> Inquiry[None]:
    topic_id = (yield from describe_topic(topic)).topic_id
    request = m.DeleteGroup(topic_id, check_name("group", group))
    yield from ask(request, repeatable=False)


# The broker


def status() -> Inquiry[BrokerInfo]:
    answer: m.Status = yield from ask(m.BrokerStatus())
    return BrokerInfo(answer.software, timedelta(milliseconds=answer.uptime_ms), *answer[2:9])


# Translations


def _topic_info(topic: m.Topic) -> TopicInfo:
    return TopicInfo(topic.topic, topic.topic_id, topic.partitions, topic.version, topic.settings)


def _partition_info(
    topic: m.Topic, number: int, answer: m.Partition, time_us: int
) -> PartitionInfo:
    return PartitionInfo(
        topic=topic.topic,
        partition=number,
        first_offset=answer.first_offset,
        visible_offset=answer.visible_offset,
        durable_offset=answer.durable_offset,
        next_offset=answer.next_offset,
        size_bytes=answer.size_bytes,
        log_epoch=answer.log_epoch,
        last_append_time=time_of(answer.last_append_time_us),
        time_offset=answer.time_offset if time_us else None,
        dropped=answer.dropped,
    )


def _group_partition(number: int, answer: m.Group) -> GroupPartition:
    return GroupPartition(
        number,
        answer.cursor,
        answer.lag,
        answer.generation,
        answer.member,
        time_of(answer.commit_time_us),
    )
