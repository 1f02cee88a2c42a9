"""What the fake broker answers."""

from typing import Any

from tapemq.wire import errors
from tapemq.wire import messages as m
from tests.support.fake_broker.queue_answers import QueueAnswers
from tests.support.fake_broker.session import FakeSession, FakeSubscription
from tests.support.fake_broker.topic import FakePartition, FakeTopic, GroupState, Refused


class Answers(QueueAnswers):
    """One method for each message, called ``_on_`` and its name in lower case."""

    def __init__(self) -> None:
        self.topics: dict[str, FakeTopic] = {}
        super().__init__()
        self.may_create = True
        self.page = 64
        self.welcome = m.Welcome(
            version=1,
            broker_id=b"fake",
            boot_epoch=1,
            session=b"token",
            publish_window_bytes=4 * 1024 * 1024,
            frame_bytes_max=32 * 1024 * 1024,
            batch_bytes_max=4 * 1024 * 1024,
            record_bytes_max=1024 * 1024,
            heartbeat_ms=15_000,
        )
        self._ids = 0

    def create(self, name: str, partitions: int = 1) -> FakeTopic:
        self._ids += 1
        topic = self.topics[name] = FakeTopic(name, self._ids, partitions)
        return topic

    def answer(self, session: FakeSession, message: Any, payload: bytes) -> Any:
        """The answer, None if there is none."""
        handler = getattr(self, f"_on_{type(message).__name__.lower()}")
        try:
            return handler(session, message, payload)
        except Refused as refused:
            return refused.failure

    def assign(self, session: FakeSession, number: int, partition: int, offset: int) -> None:
        """Push Assigned, with the group's seek epoch."""
        subscription = session.subscriptions[number]
        group = subscription.topic.partitions[partition].groups.get(subscription.request.group)
        seek_epoch = group.seek_epoch if group else 0
        subscription.next[partition] = offset
        generation = subscription.generation[partition]
        session.send(m.Assigned(number, partition, generation, offset, seek_epoch))

    def _on_hello(self, session: FakeSession, message: m.Hello, _: bytes) -> None:
        session.open(self.welcome)

    def _on_ping(self, session: FakeSession, *_: Any) -> None:
        session.send(m.Pong())

    def _on_pong(self, *_: Any) -> None: ...

    def _on_bye(self, *_: Any) -> None: ...

    def _on_describetopic(self, _: Any, message: m.DescribeTopic, __: bytes) -> m.Topic:
        if message.topic not in self.topics:
            if not (message.create and self.may_create):
                raise Refused(errors.UNKNOWN_TOPIC, f"there is no topic {message.topic}")
            self.create(message.topic)
        return self.topics[message.topic].message()

    def _on_openproducer(self, *_: Any) -> m.Producer:
        self._ids += 1
        return m.Producer(self._ids, 0)

    def partition(self, topic_id: int, partition: int) -> FakePartition:
        return self._topic(topic_id).partitions[partition]

    def _topic(self, topic_id: int) -> FakeTopic:
        for topic in self.topics.values():
            if topic.topic_id == topic_id:
                return topic
        raise Refused(errors.STALE_METADATA)

    def _on_publish(self, _: Any, message: m.Publish, payload: bytes) -> m.Receipt:
        receipt = self.partition(message.topic_id, message.partition).publish(payload)
        return receipt._replace(level=message.level)

    def _on_subscribe(self, session: FakeSession, message: m.Subscribe, _: bytes) -> m.Done:
        topic = self._topic(message.topic_id)
        subscription = FakeSubscription(
            topic, message, message.credit_records, message.credit_bytes, {}, {}
        )
        for number in message.partitions or range(len(topic.partitions)):
            partition = topic.partitions[number]
            if message.group:
                group = partition.group(message.group, message.start, message.start_value)
                group.generation += 1
                subscription.next[number] = group.cursor
                subscription.generation[number] = group.generation
            else:
                offset = partition.start_offset(message.start, message.start_value)
                subscription.next[number] = offset
                subscription.generation[number] = 1
        session.subscriptions[message.subscription] = subscription
        return m.Done()

    def _on_unsubscribe(self, session: FakeSession, message: m.Unsubscribe, _: bytes) -> m.Done:
        consumer = self.queues.find(session, message.subscription)
        if consumer is not None:
            self.queues.leave(consumer, crashed=False)
        session.subscriptions.pop(message.subscription, None)
        return m.Done()

    def _on_credit(self, session: FakeSession, message: m.Credit, _: bytes) -> None:
        subscription = session.subscriptions.get(message.subscription) or self.queues.find(
            session, message.subscription
        )
        if subscription is not None:
            subscription.records += message.records
            subscription.size_bytes += message.bytes

    def _on_commit(self, _: Any, message: m.Commit, __: bytes) -> m.Done:
        group = self.partition(message.topic_id, message.partition).groups[message.group]
        if message.generation != group.generation:
            raise Refused(errors.FENCED)
        group.cursor = max(group.cursor, message.offset)
        return m.Done()

    def _on_release(self, session: FakeSession, message: m.Release, _: bytes) -> m.Done:
        session.subscriptions[message.subscription].next.pop(message.partition)
        return m.Done()

    def _on_seek(self, session: FakeSession, message: m.Seek, _: bytes) -> m.Done:
        partition = self.partition(message.topic_id, message.partition)
        group = partition.group(message.group, "earliest", 0)
        group.cursor = partition.start_offset(message.start, message.start_value)
        group.seek_epoch += 1
        for number, subscription in session.subscriptions.items():
            if message.partition in subscription.next:
                group.generation += 1
                subscription.generation[message.partition] = group.generation
                self.assign(session, number, message.partition, group.cursor)
        return m.Done()

    def _on_describepartition(self, _: Any, message: m.DescribePartition, __: bytes) -> m.Partition:
        end = self.partition(message.topic_id, message.partition).next_offset
        return m.Partition(0, end, end, end, 0, 0, 0, message.time_us and 1)

    # Admin

    def _names(self, names: list[str], after: str) -> m.Names:
        rest = sorted(name for name in names if name > after)
        return m.Names(rest[: self.page], len(rest) > self.page)

    def _on_listtopics(self, _: Any, message: m.ListTopics, __: bytes) -> m.Names:
        return self._names(list(self.topics), message.after)

    def _on_createtopic(self, _: Any, message: m.CreateTopic, __: bytes) -> m.Topic:
        if message.topic in self.topics:
            raise Refused(errors.TOPIC_EXISTS)
        topic = self.create(message.topic, message.partitions)
        topic.settings = message.settings
        return topic.message()

    def _on_altertopic(self, _: Any, message: m.AlterTopic, __: bytes) -> m.Topic:
        topic = self.topics[message.topic]
        topic.grow(message.partitions)
        topic.settings = topic.settings | message.settings
        topic.version += 1
        return topic.message()

    def _on_deletetopic(self, _: Any, message: m.DeleteTopic, __: bytes) -> m.Done:
        if self.topics.pop(message.topic, None) is None:
            raise Refused(errors.UNKNOWN_TOPIC)
        return m.Done()

    def _on_listgroups(self, _: Any, message: m.ListGroups, __: bytes) -> m.Names:
        groups = self._topic(message.topic_id).partitions[0].groups
        return self._names(list(groups), message.after)

    def _group(self, topic_id: int, partition: int, name: str) -> GroupState:
        group = self.partition(topic_id, partition).groups.get(name)
        if group is None:
            raise Refused(errors.UNKNOWN_GROUP)
        return group

    def _on_describegroup(self, _: Any, message: m.DescribeGroup, __: bytes) -> m.Group:
        group = self._group(message.topic_id, message.partition, message.group)
        end = self.partition(message.topic_id, message.partition).next_offset
        return m.Group(
            "stream", group.cursor, end - group.cursor, group.hold, group.generation, 1, "me", 0
        )

    def _on_altergroup(self, _: Any, message: m.AlterGroup, __: bytes) -> m.Done:
        for partition in self._topic(message.topic_id).partitions:
            partition.groups[message.group].hold = message.hold
        return m.Done()

    def _on_deletegroup(self, _: Any, message: m.DeleteGroup, __: bytes) -> m.Done:
        for partition in self._topic(message.topic_id).partitions:
            if partition.groups.pop(message.group, None) is None:
                raise Refused(errors.UNKNOWN_GROUP)
        return m.Done()

    def _on_brokerstatus(self, *_: Any) -> m.Status:
        return m.Status("fake 1", 1500, len(self.topics), 1, 10, 20, 30, "disk_low", 40)
