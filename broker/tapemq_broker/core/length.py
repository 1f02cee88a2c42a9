"""How long partitions may get, and what becomes of what is too much."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import TopicSettings
from tapemq_broker.core.topic import Topic

RETRY_AFTER_S: Final = 0.2


class LengthLimit(NamedTuple):
    """Most records and bytes (0: any); ``drops``: the oldest go, otherwise publishers wait."""

    max_records: int
    max_bytes: int
    drops: bool

    @classmethod
    def of(cls, settings: TopicSettings) -> "LengthLimit | None":
        """What settings say; None: no limit."""
        max_records, max_bytes = settings.get("max_records", 0), settings.get("max_bytes", 0)
        if not max_records and not max_bytes:
            return None
        return cls(int(max_records), int(max_bytes), settings.get("overflow") == "drop_oldest")


class _Length(NamedTuple):
    """How long a partition is, for whom, and what makes it shorter."""

    records: int
    size_bytes: int
    whose: str
    remedy: str


def check_room(topic: Topic, partition: Partition) -> None:
    """Raise Refused if a partition takes nothing now, because it is full."""
    limit = LengthLimit.of(topic.info.settings)
    if limit is None:
        return
    lengths = list(_backlogs(topic, partition))
    if not lengths and not limit.drops:
        lengths = [_in_log(partition)]
    for length in lengths:
        if 0 < limit.max_records <= length.records:
            amount, most = f"{length.records} records", f"max_records is {limit.max_records}"
        elif 0 < limit.max_bytes <= length.size_bytes:
            amount, most = f"{length.size_bytes} bytes", f"max_bytes is {limit.max_bytes}"
        else:
            continue
        raise Refused(
            "overloaded",
            f"partition {partition.number} of topic {topic.info.name!r} is full: {amount} "
            f"{length.whose}, {most}; {length.remedy}, or raise the limit",
            RETRY_AFTER_S,
        )


def droppable(topic: Topic, partition: Partition) -> int:
    """Records below this offset are to go; none are where it is not above the first one's.

    Nothing goes that a group with ``hold`` needs: publishers wait instead. What groups need that
    could not be opened is not known. It follows from the groups and the log's end alone, and no
    group can go back behind it; so a start finds the same, whatever groups there were before (but
    what settlements and commits that a crash took back had let go is there again, if its file is).
    """
    limit, first_offset = LengthLimit.of(topic.info.settings), partition.first_offset
    if limit is None or not limit.drops or partition.groups_damage:
        return first_offset
    hold_offset = topic.hold_offset(partition.number)
    durable_offset = partition.durable_offset
    if limit.max_records:
        first_offset = max(first_offset, durable_offset - limit.max_records)
    if limit.max_bytes and partition.sizes is not None:
        kept_from = partition.sizes.newest(limit.max_bytes, durable_offset)
        first_offset = max(first_offset, kept_from)
    if hold_offset is not None:
        first_offset = max(min(first_offset, hold_offset), partition.first_offset)
    return first_offset


def _backlogs(topic: Topic, partition: Partition) -> Iterator[_Length]:
    """What groups with ``hold`` have before them."""
    number, end = partition.number, partition.next_offset
    for name, stream in topic.groups.items():
        position = stream.positions.get(number)
        if position is not None and position.hold:
            start = max(position.cursor, partition.first_offset)
            whose = f"are not read by group {name!r}"
            yield _Length(end - start, _bytes_from(partition, start), whose, "read some")
    for name, queue in topic.queue_groups.items():
        backlog = queue.backlogs.get(number)
        if backlog is not None and queue.terms.policy.hold:
            records = backlog.ledger.unsettled() + end - partition.durable_offset
            whose = f"are not settled by group {name!r}"
            yield _Length(records, _unsettled_bytes(backlog.ledger), whose, "settle some")


def _in_log(partition: Partition) -> _Length:
    start = partition.first_offset
    size_bytes = _bytes_from(partition, start)
    remedy = "let a group with hold read it, or retention remove some"
    return _Length(partition.next_offset - start, size_bytes, "are in its log", remedy)


def _bytes_from(partition: Partition, offset: int) -> int:
    return 0 if partition.sizes is None else partition.sizes.bytes_from(offset)


def _unsettled_bytes(ledger: Ledger) -> int:
    """Those of what is not settled, as if all records since the oldest such one were alike."""
    partition, start = ledger.partition, ledger.unsettled_from
    coming = _bytes_from(partition, partition.durable_offset)
    visible = _bytes_from(partition, start) - coming
    records = partition.durable_offset - start
    return coming + visible * ledger.unsettled() // max(records, 1)
