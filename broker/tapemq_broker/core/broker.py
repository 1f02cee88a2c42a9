"""The broker's meaning: every command and event, and the effects that follow.

Commands come with a Request and answer through effects; a Refused command is answered with the
reason. Events come from the log and from time. ``now`` is monotonic seconds, ``now_us`` the wall
clock in microseconds.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tapemq.batch import BodyPrefix, LogId, Role
from tapemq_broker.core.effects import (
    Effects,
    Reconfigure,
    Reply,
    ReplyWhenDurable,
    Request,
    TruncateFront,
)
from tapemq_broker.core.generations import Generations
from tapemq_broker.core.groups import Groups
from tapemq_broker.core.inspection import BatchLimits, inspect
from tapemq_broker.core.leaving import go_on_leaving, without_leaving
from tapemq_broker.core.length import check_room, droppable
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.positions import Positions
from tapemq_broker.core.queue.consumers import Consumers
from tapemq_broker.core.queue.entries import stream_positions
from tapemq_broker.core.queue.queues import Queues
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.regaining import regain_groups
from tapemq_broker.core.results import ProducerIdentity, TopicInfo
from tapemq_broker.core.schedules.schedule import SCHEDULER_ID
from tapemq_broker.core.sharing import Sharing
from tapemq_broker.core.streams import Streams
from tapemq_broker.core.subscriptions import Subscriptions
from tapemq_broker.core.topics import Topics

__all__ = ["Broker", "Limits"]


class Limits(NamedTuple):
    """What the core allows; the defaults are in the broker's settings."""

    batch_bytes: int
    record_bytes: int
    topics: int
    partitions: int
    partitions_total: int
    groups: int
    revoke_deadline_s: float


class Broker:
    """Topics, producers, groups and subscriptions of one namespace."""

    def __init__(self, boot_epoch: int, limits: Limits) -> None:
        self.batch_limits = BatchLimits(limits.batch_bytes, limits.record_bytes)
        self._producer_id = boot_epoch << 32
        self.topics = Topics(limits.topics, limits.partitions, limits.partitions_total)
        self._positions = Positions(self.topics, limits.groups)
        subscriptions = Subscriptions()
        consumers = Consumers()
        generations = Generations(boot_epoch)
        self._sharing = Sharing(self.topics, subscriptions, generations, limits.revoke_deadline_s)
        self.streams = Streams(
            self.topics, subscriptions, generations, self._positions, self._sharing, consumers
        )
        self.queues = Queues(self.topics, subscriptions, consumers, limits.groups, boot_epoch)
        self.records_dropped = 0
        self.groups = Groups(self.topics, self._positions, self._sharing, self.queues.groups)

    def load_groups(self, topic_id: int, partition: int, entries: Mapping[bytes, bytes]) -> None:
        """What the group log of a partition holds, at start: all of it, or BadEntry is raised."""
        topic = self.topics.get(topic_id)
        entries = without_leaving(topic, entries)
        positions = dict(stream_positions(entries))
        if not topic.queue_groups.keys().isdisjoint(positions):
            raise BadEntry(f"{topic.queue_groups.keys() & positions} are queues elsewhere")
        self.queues.groups.load(topic, topic.partitions[partition], entries)
        for name, position in positions.items():
            self.topics.add_group(topic, name).positions[partition] = position

    def loaded(self) -> Effects:
        """All group logs are read: complete what a crash left half written."""
        effects: Effects = []
        for topic in self.topics.by_id.values():
            for partition in topic.partitions:
                partition.first_offset = droppable(topic, partition)
            self._positions.share_hold(topic, effects)
            self._positions.extend_groups(topic, effects)
            self._positions.pull_back_groups(topic, effects)
            effects += self.queues.groups.loaded(topic)
            effects += go_on_leaving(self.topics, topic)
        return effects

    def refusing(self, request: Request, command: Callable[[], Effects]) -> Effects:
        """Carry a command out; a refusal becomes its answer."""
        try:
            return command()
        except Refused as refused:
            return [Reply(request, refused.refusal)]

    def open_producer(self, request: Request, producer_id: int, epoch: int) -> Effects:
        """An identity to number batches under; ids are never given twice."""
        if producer_id == 0:
            self._producer_id += 1
            return [Reply(request, ProducerIdentity(self._producer_id, 0))]
        return [Reply(request, ProducerIdentity(producer_id, epoch))]

    def publish(
        self,
        request: Request,
        topic_id: int,
        partition: int,
        body: bytes | memoryview,
        *,
        body_checksum: int,
        durable: bool,
        now_us: int,
        heard_us: int | None = None,
        prefix: BodyPrefix | None = None,
    ) -> Effects:
        """Append a batch, or answer a retry with where the first try went.

        ``heard_us``: a time that no jump of the clock has made later, for how long producers have
        been idle; None: ``now_us``. ``prefix``: the body's, if it was inspected already.
        """
        topic = self.topics.get(topic_id)
        found = topic.partition(partition)
        if prefix is None:
            prefix = inspect(body, body_checksum, self.batch_limits)
        if prefix.producer_id == SCHEDULER_ID:
            raise Refused("bad_request", f"producer id {SCHEDULER_ID} is the broker's own")
        if topic.has_limit:
            found.check_usable()
            if found.producers.check(prefix) is None:  # not a retry of what is in the log
                check_room(topic, found)
        append, result, end = found.publish(body, prefix, body_checksum, now_us, heard_us)
        effects: Effects = [] if append is None else [append]
        if durable:
            result = result._replace(durable=True)
            effects.append(ReplyWhenDurable(found.log, end, request, result))
        else:
            effects.append(Reply(request, result))
        return effects

    def append_refused(self, log: LogId, next_offset: int) -> None:
        """An Append could not be carried out; the log ends at ``next_offset`` as before."""
        self.topics.by_id[log.topic_id].partitions[log.partition].refused(next_offset)

    def durable_upto(self, log: LogId, offset: int) -> Effects:
        """A data log is on disk up to ``offset``: this much may be delivered.

        Its readers() are to be told with visible(), all at once or some at a time; first of all
        what is too much goes.
        """
        topic = self.topics.by_id.get(log.topic_id)
        if topic is None or log.role is not Role.DATA:
            return []
        partition = topic.partitions[log.partition]
        partition.durable_upto(offset)
        if not topic.has_limit:
            return []
        target = droppable(topic, partition)
        dropped = target - partition.first_offset
        if not dropped:
            return []
        partition.dropped += dropped
        self.records_dropped += dropped
        return [*self.truncated(log, target), TruncateFront(log, target)]

    def topic_prepared(
        self,
        info: TopicInfo,
        now: float,
        opened: Callable[[list[Partition]], Effects] = lambda partitions: [],
    ) -> Effects:
        """The logs that PrepareTopic asked for are there, and the catalog's entry is written.

        ``opened`` tells the new partitions what is in their logs, before anybody reads them: the
        catalog may have forgotten that they were made before. It calls regain_groups().
        """
        known = self.topics.by_id.get(info.topic_id)
        first_partition = len(known.partitions) if known else 0
        effects: Effects = [Reconfigure(info)] if known else []
        self.topics.prepared(info)
        topic = self.topics.by_id[info.topic_id]
        made = topic.partitions[first_partition:]
        effects += opened(made)
        for partition in made:  # what was dropped from a partition that was forgotten stays so
            effects += self.truncated(partition.log, droppable(topic, partition))
        self._positions.share_hold(topic, effects)
        self._positions.extend_groups(topic, effects)
        self._positions.pull_back_groups(topic, effects)
        effects += self.queues.groups.extend(topic)
        return effects + self.streams.grown(topic, first_partition, now) + self.topics.answers(info)

    def regain_groups(
        self, topic_id: int, partition: int, entries: Mapping[bytes, bytes]
    ) -> Effects:
        """What the group log of a partition that is made holds already. Raises BadEntry."""
        topic = self.topics.get(topic_id)
        return regain_groups(topic, topic.partitions[partition], entries, self.queues.groups)

    def delete_topic(self, request: Request, name: str) -> Effects:
        """Delete a topic; whoever reads it is told."""
        return self.topics.delete(
            request,
            name,
            lambda topic: self.streams.topic_deleted(topic) + self.queues.topic_deleted(topic),
        )

    def truncate(self, log: LogId, offset: int) -> Effects:
        """Retention has chosen; what a group with ``hold`` needs stays.

        What groups need that could not be opened is not known: all of it stays.
        """
        topic = self.topics.by_id.get(log.topic_id)
        if topic is None or topic.partitions[log.partition].groups_damage:
            return []
        hold = topic.hold_offset(log.partition)
        target = offset if hold is None else min(offset, hold)
        if target <= topic.partitions[log.partition].first_offset:
            return []
        return [TruncateFront(log, target)]

    def truncated(self, log: LogId, first_offset: int) -> Effects:
        """A TruncateFront was carried out: what is left starts at ``first_offset``."""
        topic = self.topics.by_id.get(log.topic_id)
        if topic is None:
            return []
        partition = topic.partitions[log.partition]
        partition.first_offset = max(first_offset, partition.first_offset)
        return self.queues.groups.truncated(topic, partition)

    def take_changes(self, log: LogId) -> dict[bytes, bytes | None]:
        """What has to be written to a state log of which StateChanged was said."""
        return self.queues.take_changes(log)

    def tick(self, now: float, now_us: int) -> Effects:
        """Time passed: members that did not let go lose their claims, consumers their leases."""
        return self._sharing.overdue(now) + self.queues.tick(now, now_us)
