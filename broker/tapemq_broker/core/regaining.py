"""What groups had in a partition that the catalog had forgotten, and that was made again.

It was repaired, or is an older copy. The groups themselves are those of the other partitions: one
that only the forgotten partition knows was deleted since.
"""

from collections.abc import Mapping

from tapemq_broker.core.effects import Effects
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.positions import put_position
from tapemq_broker.core.queue.entries import queue_groups, stream_positions
from tapemq_broker.core.queue.groups import QueueGroups, removing
from tapemq_broker.core.topic import Topic


def regain_groups(
    topic: Topic, partition: Partition, entries: Mapping[bytes, bytes], queues: QueueGroups
) -> Effects:
    """Let groups go on where they were, and forget those that there are no more.

    Raises BadEntry: then nothing has changed.
    """
    positions = dict(stream_positions(entries))
    kept = queue_groups(entries)
    positions = {name: positions[name] for name in positions.keys() & topic.groups.keys()}
    kept = {name: kept[name] for name in kept.keys() & topic.queue_groups.keys()}
    effects = queues.regain(topic, partition, kept)
    for name, position in positions.items():
        group = topic.groups[name]
        # Switched off since, it is off here, too; where it was switched on, see share_hold().
        let_go = position._replace(hold=position.hold and group.hold)
        group.positions[partition.number] = position
        if let_go != position:
            put_position(group, partition, let_go, effects)
    known = {name.encode() for name in (*positions, *kept)}
    stale = [key for key in entries if key.partition(b"\0")[0] not in known]
    return [*removing(partition, stale), *effects]
