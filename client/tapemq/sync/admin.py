"""Topics, groups and the broker, without asyncio: looking at them and changing them."""

from typing import TypeVar

from tapemq import inquiries
from tapemq.infos import BrokerInfo, GroupInfo, PartitionInfo, Setting, TopicInfo
from tapemq.inquiries import Inquiry
from tapemq.streams.start import Start
from tapemq.sync.link import Link

T = TypeVar("T")


class Admin:
    """The client's admin calls. All raise TimeoutError after the client's timeout."""

    def __init__(self, link: Link, timeout_s: float) -> None:
        self._link = link
        self._timeout_s = timeout_s

    def _do(self, inquiry: Inquiry[T]) -> T:
        try:
            step = next(inquiry)
            while True:
                answers = [
                    self._link.call(
                        request,
                        self._timeout_s,
                        repeatable=step.repeatable,
                        payload=step.payload,
                    )
                    for request in step.requests
                ]
                step = inquiry.send(answers)
        except StopIteration as end:
            result: T = end.value
            return result

    # Topics

    def create_topic(self, name: str, partitions: int = 1, **settings: Setting) -> TopicInfo:
        """Create a topic.

        Args:
            name: 1 to 200 letters, digits and ``. _ @ -``, not starting with a dot.
            partitions: 1 to 1024. There can be more later, never fewer.
            settings: e.g. ``retention_bytes``; what is not given has the broker's default. With
                ``priorities``, 2 to 10 for ever, there are so many partitions of each level.

        Raises:
            TopicExists: the name is taken.
            RequestRefused: a setting is not known, or its value not allowed.
            IndeterminateError: the connection was lost before the answer came.
        """
        return self._do(inquiries.create_topic(name, partitions, settings))

    def topic(self, name: str) -> TopicInfo:
        """Look a topic up. Raises TopicNotFound."""
        return self._do(inquiries.topic(name))

    def topics(self) -> list[str]:
        """The names of all topics, in order."""
        return self._do(inquiries.topics())

    def alter_topic(
        self, name: str, *, partitions: int | None = None, **settings: Setting
    ) -> TopicInfo:
        """Change settings, or raise the number of partitions; with priorities, of each level.

        Raises as create_topic(), and ValueError for less than one partition.
        """
        return self._do(inquiries.alter_topic(name, partitions, settings))

    def delete_topic(self, name: str) -> None:
        """Delete a topic with all its records and groups.

        Raises TopicNotFound, or IndeterminateError if the connection was lost before the answer.
        """
        self._do(inquiries.delete_topic(name))

    def partition(self, topic: str, partition: int, *, at: Start | None = None) -> PartitionInfo:
        """A partition's offsets. With ``at`` (a datetime) also the first offset appended then or
        later. Raises TopicNotFound, PartitionNotFound."""
        return self._do(inquiries.partition(topic, partition, at))

    def partitions(self, topic: str) -> list[PartitionInfo]:
        """All partitions' offsets. Raises TopicNotFound."""
        return self._do(inquiries.partitions(topic))

    # Groups

    def groups(self, topic: str) -> list[str]:
        """The names of a topic's groups, in order. Raises TopicNotFound."""
        return self._do(inquiries.groups(topic))

    def group(self, topic: str, name: str) -> GroupInfo:
        """Where a group is, by partition. Raises TopicNotFound, GroupNotFound."""
        return self._do(inquiries.group(topic, name))

    def seek_group(
        self, topic: str, group: str, to: Start, *, partition: int | None = None
    ) -> None:
        """Set a group's position, durably; it may have members.

        Args:
            to: "earliest", "latest", an offset, or a datetime (the first record appended then; UTC
                without a time zone).
            partition: a number, from 0; by default all.

        Raises:
            TopicNotFound, GroupNotFound, PartitionNotFound: there is none.
            OffsetOutOfRange: the offset is beyond the end.
        """
        self._do(inquiries.seek_group(topic, group, to, partition))

    def alter_group(self, topic: str, group: str, *, hold: bool) -> None:
        """Let retention keep what the group has not read, or not. Raises TopicNotFound,
        GroupNotFound."""
        self._do(inquiries.alter_group(topic, group, hold))

    def delete_group(self, topic: str, group: str) -> None:
        """Forget a group and its positions.

        Raises TopicNotFound, GroupNotFound, GroupBusy if it has members, IndeterminateError if
        the connection was lost before the answer came.
        """
        self._do(inquiries.delete_group(topic, group))

    # The broker

    def status(self) -> BrokerInfo:
        """How the broker is."""
        return self._do(inquiries.status())
