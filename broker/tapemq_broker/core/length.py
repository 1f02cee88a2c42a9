"""How long partitions may get, and what becomes of what is too much."""

from typing import Final, NamedTuple

from tapemq_broker.core.partition import Partition
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import TopicSettings
from tapemq_broker.core.topic import Topic

RETRY_AFTER_S: Final = 0.2


class LengthLimit(NamedTuple):
    """So many records at most; ``drops``: the oldest go, else publishers wait."""

    max_records: int
    drops: bool

    @classmethod
    def of(cls, settings: TopicSettings) -> "LengthLimit | None":
        """What settings say; None: no limit."""
        max_records = int(settings.get("max_records", 0))
        return cls(max_records, settings.get("overflow") == "drop_oldest") if max_records else None


def check_room(topic: Topic, partition: Partition) -> None:
    """Raise Refused if a partition takes nothing now, because it is full."""
    limit = LengthLimit.of(topic.info.settings)
    if limit is None:
        return
    needed = _longest_backlog(topic, partition)
    if needed is None and not limit.drops:
        needed = partition.next_offset - partition.first_offset, "are in its log"
    if needed is not None and needed[0] >= limit.max_records:
        raise Refused(
            "overloaded",
            f"partition {partition.number} of topic {topic.info.name!r} is full: {needed[0]} "
            f"records {needed[1]}, max_records is {limit.max_records}",
            RETRY_AFTER_S,
        )


def droppable(topic: Topic, partition: Partition) -> int:
    """Records below this offset are to go; none are where it is not above the first one's.

    Where a group has ``hold`` publishers wait instead, and nothing goes. What groups need that
    could not be opened is not known.
    """
    limit = LengthLimit.of(topic.info.settings)
    if limit is None or not limit.drops or partition.groups_damage:
        return partition.first_offset
    if topic.hold_offset(partition.number) is not None:
        return partition.first_offset
    return max(partition.first_offset, partition.durable_offset - limit.max_records)


def _longest_backlog(topic: Topic, partition: Partition) -> tuple[int, str] | None:
    """How many records a group with ``hold`` has before it, at most; None if there is no group."""
    number, end = partition.number, partition.next_offset
    found: list[tuple[int, str]] = []
    for name, stream in topic.groups.items():
        position = stream.positions.get(number)
        if position is not None and position.hold:
            unread = end - max(position.cursor, partition.first_offset)
            found.append((unread, f"are not read by group {name!r}"))
    for name, queue in topic.queue_groups.items():
        backlog = queue.backlogs.get(number)
        if backlog is not None and queue.terms.policy.hold:
            unsettled = backlog.ledger.unsettled() + end - partition.durable_offset
            found.append((unsettled, f"are not settled by group {name!r}"))
    return max(found, default=None)
