"""Commands on groups: commit, seek, look at, change, delete."""

from tapemq_broker.core.counting import counted
from tapemq_broker.core.effects import Effects, Reply, ReplyWhenDurable, Request
from tapemq_broker.core.group import StreamGroup
from tapemq_broker.core.leaving import Leaving
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.positions import Positions, done_when_put, put_position
from tapemq_broker.core.queue.groups import QueueGroups
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import Done, GroupInfo
from tapemq_broker.core.sharing import Sharing
from tapemq_broker.core.start import Start
from tapemq_broker.core.topic import Topic
from tapemq_broker.core.topics import Topics, page_of


class Groups:
    """Positions are changed here; each change is in the partition's group log before its answer."""

    def __init__(
        self, topics: Topics, positions: Positions, sharing: Sharing, queues: QueueGroups
    ) -> None:
        self._topics = topics
        self._positions = positions
        self._sharing = sharing
        self._queues = queues

    def _find(
        self, topic_id: int, name: str, partition: int
    ) -> tuple[Topic, StreamGroup, Partition]:
        topic = self._topics.get(topic_id)
        found = topic.partition(partition)
        found.check_groups_usable()
        return topic, topic.group(name), found

    def commit(
        self,
        request: Request,
        topic_id: int,
        name: str,
        partition: int,
        *,
        generation: int,
        offset: int,
        now_us: int,
    ) -> Effects:
        """Everything below ``offset`` is handled."""
        _, group, found = self._find(topic_id, name, partition)
        group.check_claim(partition, generation)
        if offset > found.durable_offset:
            raise Refused(
                "offset_out_of_range",
                f"{offset} was not delivered yet; visible records end at {found.durable_offset}",
            )
        effects: Effects = []
        position = group.committed(partition, offset, now_us)
        if position is not None:
            put_position(group, found, position, effects)
        effects.append(ReplyWhenDurable(found.groups_log, None, request, Done()))
        return effects

    def seek(
        self,
        request: Request,
        topic_id: int,
        name: str,
        partition: int,
        *,
        start: Start,
        now_us: int,
    ) -> Effects:
        """Set the position anywhere; who reads there is assigned anew."""
        topic = self._topics.get(topic_id)
        if name in topic.queue_groups:
            place = topic.partition(partition)
            place.check_groups_usable()
            return self._queues.seek(request, topic.queue_groups[name], place, start)
        topic, group, found = self._find(topic_id, name, partition)
        effects: Effects = []
        position = group.positions[partition].sought(start.cursor(found), now_us)
        put_position(group, found, position, effects)
        self._sharing.moved(topic, group, partition, effects)
        effects.append(ReplyWhenDurable(found.groups_log, None, request, Done()))
        return effects

    def names(self, request: Request, topic_id: int, after: str) -> Effects:
        """A page of a topic's groups."""
        topic = self._topics.get(topic_id)
        return [Reply(request, page_of([*topic.groups, *topic.queue_groups], after))]

    def describe(self, request: Request, topic_id: int, name: str, partition: int) -> Effects:
        """State of a group on a partition."""
        topic = self._topics.get(topic_id)
        if name in topic.queue_groups:
            place = topic.partition(partition)
            place.check_groups_usable()
            return [Reply(request, self._queues.info(topic.queue_groups[name], place))]
        _, group, found = self._find(topic_id, name, partition)
        at = group.positions[partition]
        claim = group.claims.get(partition)
        info = GroupInfo(
            kind="stream",
            cursor=at.cursor,
            lag=found.durable_offset - max(at.cursor, found.first_offset),
            hold=at.hold,
            generation=claim.generation if claim else 0,
            members=len(group.members),
            member=group.members[claim.owner] if claim else "",
            commit_time_us=at.commit_time_us,
        )
        return [Reply(request, info)]

    def alter(self, request: Request, topic_id: int, name: str, *, hold: bool) -> Effects:
        """Change ``hold`` on all partitions."""
        topic = self._topics.get(topic_id)
        if name in topic.queue_groups:
            return self._queues.alter(request, topic_id, name, {"hold": hold})
        group = topic.group(name)
        topic.check_groups_usable()
        positions = self._positions.to_hold(topic, group, hold)
        return self._positions.move(
            request, topic, name, positions, lambda _: [done_when_put(topic, request)]
        )

    def delete(self, request: Request, topic_id: int, name: str) -> Effects:
        """Forget a group that nobody reads with."""
        topic = self._topics.get(topic_id)
        if name in topic.queue_groups:
            return self._queues.delete(request, topic, topic.queue_groups[name])
        group = topic.group(name)
        if group.members:
            raise Refused(
                "group_busy", f"group {name!r} has {counted(len(group.members), 'member')}"
            )
        # Else what a damaged log says of it would come back with a repair.
        topic.check_groups_usable()
        leaving = Leaving(self._topics, topic, name)
        return leaving.begin(request, lambda: self._topics.remove_group(topic, name))
