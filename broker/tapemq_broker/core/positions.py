"""Where groups are: every change goes to memory and, in the same effects, to the group log."""

from collections.abc import Callable, Mapping

from tapemq_broker.core.effects import (
    Change,
    Effects,
    PutState,
    ReplyWhenDurable,
    Request,
)
from tapemq_broker.core.group import Position, StreamGroup
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import Done
from tapemq_broker.core.start import Start
from tapemq_broker.core.topic import Topic
from tapemq_broker.core.topics import Topics


class Positions:
    """Opens groups, and keeps their positions complete. Damaged partitions are left as they are:
    what their group logs hold is good again after a repair."""

    def __init__(self, topics: Topics, groups_max: int) -> None:
        self._topics = topics
        self._groups_max = groups_max

    def to_open(self, topic: Topic, name: str, start: Start, hold: bool) -> dict[int, Position]:
        """What move() must set so that there is such a group. Raises Refused.

        A new one begins at ``start``. ``hold`` can be switched on here, but not off: other members
        count on it.
        """
        group = topic.groups.get(name)
        if group is not None:
            return self.to_hold(topic, group, True) if hold else {}
        topic.check_group_can_be_made(name)
        if self._topics.group_count >= self._groups_max:
            raise Refused("bad_request", f"this broker holds at most {self._groups_max} groups")
        return {
            partition.number: Position(start.cursor(partition), hold=hold)
            for partition in topic.group_partitions()
        }

    def to_hold(self, topic: Topic, group: StreamGroup, hold: bool) -> dict[int, Position]:
        """What move() must set to switch ``hold``: everywhere, so the last log is written last."""
        numbers = [partition.number for partition in topic.group_partitions()]
        if all(group.positions[number].hold == hold for number in numbers):
            return {}
        return {n: _with_hold(group.positions[n], topic.partitions[n], hold) for n in numbers}

    def move(
        self,
        request: Request,
        topic: Topic,
        name: str,
        positions: Mapping[int, Position],
        then: Callable[[StreamGroup], Effects],
    ) -> Effects:
        """Set where a group is, which may be new: on all these partitions, or on none."""

        def change() -> Effects:
            group = self._topics.add_group(topic, name)
            group.positions.update(positions)
            return then(group)

        if not positions:
            return change()
        puts = [_put(topic.partitions[n], name, position) for n, position in positions.items()]
        return [Change(request, puts, change)]

    def extend_groups(self, topic: Topic, effects: Effects) -> None:
        """A topic got more partitions: its groups want all of them, from the first record on."""
        for group in topic.groups.values():
            for partition in topic.partitions:
                if partition.number not in group.positions and not partition.groups_damage:
                    start = Position(partition.first_offset, hold=group.hold)
                    put_position(group, partition, start, effects)

    def share_hold(self, topic: Topic, effects: Effects) -> None:
        """A group has ``hold`` everywhere or nowhere. Where it was switched on, a partition could
        not be used, or was forgotten; to be called when what is gone there is known."""
        for group in topic.groups.values():
            for number, position in group.positions.items() if group.hold else ():
                partition = topic.partitions[number]
                if not position.hold and not partition.groups_damage:
                    held = _with_hold(position, partition, True)
                    put_position(group, partition, held, effects)

    def pull_back_groups(self, topic: Topic, effects: Effects) -> None:
        """A log ends before a group's cursor, because it was repaired: read what comes now."""
        for group in topic.groups.values():
            for number, position in group.positions.items():
                partition = topic.partitions[number]
                end = partition.durable_offset
                if position.cursor > end and not partition.groups_damage:
                    back = position.sought(end, position.commit_time_us)
                    put_position(group, partition, back, effects)


def _with_hold(at: Position, partition: Partition, hold: bool) -> Position:
    # What is gone is not held: it would count as there again at the next start.
    cursor = max(at.cursor, partition.first_offset) if hold else at.cursor
    return at._replace(hold=hold, cursor=cursor)


def put_position(
    group: StreamGroup, partition: Partition, position: Position, effects: Effects
) -> None:
    """Set where a group is, in memory and in the group log."""
    group.positions[partition.number] = position
    effects.append(_put(partition, group.name, position))


def _put(partition: Partition, name: str, position: Position) -> PutState:
    return PutState(partition.groups_log, {name.encode(): position.encode()})


def done_when_put(topic: Topic, request: Request) -> ReplyWhenDurable:
    """The answer to a change on all partitions. The last log is written last, and syncs go round
    by round: when it is on disk, all are."""
    return ReplyWhenDurable(topic.group_partitions()[-1].groups_log, None, request, Done())
