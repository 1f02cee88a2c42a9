"""How long partitions may get, and what becomes of what is too much."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import TopicSettings
from tapemq_broker.core.topic import Topic

RETRY_AFTER_S: Final = 0.2
_NOWHERE: Final = 1 << 64


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

    def is_reached(self, records: int, size_bytes: int) -> bool:
        """Whether so much is all that is taken, or more."""
        return 0 < self.max_records <= records or 0 < self.max_bytes <= size_bytes


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
    end, is_held, roomy_from = partition.next_offset, False, _NOWHERE
    for name, start, ledger in _holders(topic, partition):
        is_held = True
        if start >= roomy_from:
            continue  # this comes with each publish, and there may be thousands of groups
        if not limit.is_reached(end - start, _bytes_from(partition, start)):
            roomy_from = start  # nor is it by what lies before whoever is further
        elif ledger is None:
            _check(topic, partition, limit, _unread(name, start, partition))
        else:
            _check(topic, partition, limit, _unsettled(name, ledger))
    if not is_held and not limit.drops:
        _check(topic, partition, limit, _in_log(partition))


def _check(topic: Topic, partition: Partition, limit: LengthLimit, length: _Length) -> None:
    if 0 < limit.max_records <= length.records:
        amount, most = f"{length.records} records", f"max_records is {limit.max_records}"
    elif 0 < limit.max_bytes <= length.size_bytes:
        amount, most = f"{length.size_bytes} bytes", f"max_bytes is {limit.max_bytes}"
    else:
        return
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
    durable_offset = partition.durable_offset
    if limit.max_records:
        first_offset = max(first_offset, durable_offset - limit.max_records)
    if limit.max_bytes and partition.sizes is not None:
        kept_from = partition.sizes.newest(limit.max_bytes, durable_offset)
        first_offset = max(first_offset, kept_from)
    if first_offset == partition.first_offset:
        return first_offset  # without asking thousands of groups
    hold_offset = topic.hold_offset(partition.number)
    if hold_offset is not None:
        first_offset = max(min(first_offset, hold_offset), partition.first_offset)
    return first_offset


def _holders(topic: Topic, partition: Partition) -> Iterator[tuple[str, int, Ledger | None]]:
    """The groups with ``hold``, and where what they have before them begins; not all from there on
    need be unsettled in a queue group's ledger."""
    number, first_offset = partition.number, partition.first_offset
    for name, stream in topic.groups.items():
        position = stream.positions.get(number)
        if position is not None and position.hold:
            yield name, max(position.cursor, first_offset), None
    for name, queue in topic.queue_groups.items():
        backlog = queue.backlogs.get(number)
        if backlog is not None and queue.terms.policy.hold:
            yield name, backlog.ledger.unsettled_from, backlog.ledger


def _unread(name: str, start: int, partition: Partition) -> _Length:
    records, size_bytes = partition.next_offset - start, _bytes_from(partition, start)
    return _Length(records, size_bytes, f"are not read by group {name!r}", "read some")


def _unsettled(name: str, ledger: Ledger) -> _Length:
    partition = ledger.partition
    records = ledger.unsettled() + partition.next_offset - partition.durable_offset
    size_bytes = _unsettled_bytes(ledger)
    return _Length(records, size_bytes, f"are not settled by group {name!r}", "settle some")


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
