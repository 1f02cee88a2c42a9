"""Groups' membership: opening groups, and moving partitions between members."""

from typing import Final

from tapemq_broker.core.effects import (
    Assign,
    Effects,
    PutState,
    Revoke,
    SubscriptionKey,
)
from tapemq_broker.core.group import Claim, Position, StreamGroup
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.start import Start
from tapemq_broker.core.topic import Topic

GENERATIONS_PER_BOOT: Final = 1 << 32


class Members:
    """Hands out generations, which never repeat, also across restarts (``boot_epoch``)."""

    def __init__(self, boot_epoch: int, revoke_deadline_s: float, groups_max: int) -> None:
        self._generation = boot_epoch * GENERATIONS_PER_BOOT
        self._revoke_deadline_s = revoke_deadline_s
        self._groups_max = groups_max

    def next_generation(self) -> int:
        """A number above all that were handed out before."""
        self._generation += 1
        return self._generation

    def open_group(
        self, topic: Topic, name: str, start: Start, hold: bool, effects: Effects
    ) -> StreamGroup:
        """The group; created at ``start`` if there is none of that name. Raises Refused."""
        group = topic.groups.get(name)
        if group is not None:
            return group
        if len(topic.groups) >= self._groups_max:
            raise Refused("bad_request", f"a topic has at most {self._groups_max} groups")
        for partition in topic.partitions:
            partition.check_usable()
        group = StreamGroup(name)
        for partition in topic.partitions:
            put_position(group, partition, Position(start.resolve(partition), hold=hold), effects)
        topic.groups[name] = group
        return group

    def extend_groups(self, topic: Topic, effects: Effects) -> None:
        """A topic got more partitions: its groups want all of them, from the first record on."""
        for group in topic.groups.values():
            for partition in topic.partitions:
                if partition.number not in group.positions:
                    put_position(group, partition, Position(0, hold=group.hold), effects)

    def share(
        self, topic: Topic, group: StreamGroup, now: float, effects: Effects
    ) -> list[tuple[int, SubscriptionKey]]:
        """Ask members for what others are to have; which partition, of which subscription."""
        stopped = []
        for partition in group.plan_moves(len(topic.partitions)).revoke:
            claim = group.claims[partition]
            claim.revoked_until = now + self._revoke_deadline_s
            effects.append(
                Revoke(claim.owner, partition, claim.generation, self._revoke_deadline_s)
            )
            stopped.append((partition, claim.owner))
        return stopped

    def assign_free(
        self, topic: Topic, group: StreamGroup, effects: Effects
    ) -> list[tuple[int, SubscriptionKey, int]]:
        """Give what nobody holds to whom it is meant for: partition, subscription, generation."""
        started = []
        for partition, key in group.plan_moves(len(topic.partitions)).assign:
            generation = self.next_generation()
            group.claims[partition] = Claim(key, generation)
            at = group.positions[partition]
            effects.append(Assign(key, partition, generation, at.cursor, at.seek_epoch))
            started.append((partition, key, generation))
        return started


def put_position(
    group: StreamGroup, partition: Partition, position: Position, effects: Effects
) -> None:
    """Set where a group is, in memory and in the group log."""
    group.positions[partition.number] = position
    effects.append(PutState(partition.groups_log, {group.name.encode(): position.encode()}))
