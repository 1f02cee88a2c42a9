"""An index of schedules in memory: for brokers whose disk is in memory, too."""

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence

from tapemq_broker.storage.schedules.index import (
    ANY_BYTES,
    NOTHING,
    BeginFiring,
    DueRow,
    EndFiring,
    LeftOut,
    Move,
    Operation,
    Put,
    Remove,
    Row,
    TopicState,
)


class _Topic:
    def __init__(self) -> None:
        self.upto = 0
        self.rows: dict[int, Row] = {}
        self.order: list[tuple[int, int]] = []
        self.firings: dict[int, BeginFiring] = {}

    def put(self, row: Row) -> None:
        self.remove(row.schedule_id)
        self.rows[row.schedule_id] = row
        insort(self.order, (row.due_us, row.schedule_id))

    def remove(self, schedule_id: int) -> None:
        row = self.rows.pop(schedule_id, None)
        if row is not None:
            del self.order[bisect_right(self.order, (row.due_us, schedule_id)) - 1]

    def carry_out(self, operation: Operation) -> None:
        if isinstance(operation, Put):
            self.put(operation.row)
        elif isinstance(operation, Remove):
            self.remove(operation.schedule_id)
        elif isinstance(operation, Move):
            row = self.rows.get(operation.schedule_id)
            if row is not None:
                self.put(row._replace(due_us=operation.due_us, fired=operation.fired))
        elif isinstance(operation, BeginFiring):
            self.firings[operation.partition] = operation
        elif isinstance(operation, EndFiring):
            self.firings.pop(operation.partition, None)


class MemoryScheduleIndex:
    """The index (ScheduleIndex) as dictionaries."""

    def __init__(self) -> None:
        self._topics: dict[int, _Topic] = {}

    def inspection(self) -> None:
        return None

    def topics(self) -> list[int]:
        return list(self._topics)

    def state(self, topic_id: int) -> TopicState:
        topic = self._topics.get(topic_id)
        if topic is None:
            return TopicState()
        return TopicState(topic.upto, len(topic.rows), tuple(topic.firings.values()))

    def apply(self, topic_id: int, upto: int, operations: Sequence[Operation]) -> None:
        topic = self._topics.setdefault(topic_id, _Topic())
        for operation in operations:
            topic.carry_out(operation)
        topic.upto = upto

    def find(self, topic_id: int, schedule_id: int) -> Row | None:
        return self._rows(topic_id).get(schedule_id)

    def find_key(self, topic_id: int, key: bytes) -> Row | None:
        rows = self._rows(topic_id).values()
        return max((row for row in rows if row.key == key), default=None)

    def due(
        self, now_us: int, limit: int, max_bytes: int, without: LeftOut = NOTHING
    ) -> list[DueRow]:
        found = [
            (due_us, topic_id, schedule_id)
            for topic_id, topic in self._asked_for(without)
            for due_us, schedule_id in topic.order[: bisect_right(topic.order, (now_us, 2**64))]
            if (topic_id, topic.rows[schedule_id].partition) not in without.partitions
        ]
        rows = (
            DueRow(topic_id, self._topics[topic_id].rows[schedule_id])
            for _, topic_id, schedule_id in sorted(found)[:limit]
        )
        return within_bytes(rows, max_bytes)

    def next_due_us(self, after_us: int, without: LeftOut = NOTHING) -> int | None:
        return min(
            (
                due_us
                for topic_id, topic in self._asked_for(without)
                for due_us, schedule_id in topic.order
                if due_us > after_us
                and (topic_id, topic.rows[schedule_id].partition) not in without.partitions
            ),
            default=None,
        )

    def _asked_for(self, without: LeftOut) -> list[tuple[int, _Topic]]:
        return [one for one in self._topics.items() if one[0] not in without.topics]

    def page(
        self, topic_id: int, after_us: int, after_id: int, limit: int, max_bytes: int = ANY_BYTES
    ) -> list[Row]:
        rows = self._rows(topic_id)
        order = self._topics[topic_id].order if rows else []
        first = bisect_right(order, (after_us, after_id))
        some = (DueRow(topic_id, rows[number]) for _, number in order[first : first + limit])
        return [due.row for due in within_bytes(some, max_bytes)]

    def oldest(self, topic_id: int, limit: int, max_bytes: int) -> list[Row]:
        rows = sorted(self._rows(topic_id).values(), key=lambda row: row.position)[:limit]
        return [due.row for due in within_bytes((DueRow(topic_id, row) for row in rows), max_bytes)]

    def check_none_before(self, topic_id: int, offset: int) -> None:
        """Nothing is ever lost here."""

    def _rows(self, topic_id: int) -> dict[int, Row]:
        topic = self._topics.get(topic_id)
        return topic.rows if topic else {}

    def forget(self, topic_id: int) -> None:
        self._topics.pop(topic_id, None)

    def reset(self) -> None:
        self._topics.clear()

    def close(self) -> None:
        self._topics.clear()


def within_bytes(rows: Iterable[DueRow], max_bytes: int) -> list[DueRow]:
    """The first rows, with records of about ``max_bytes``; at least one row, if there is one."""
    taken: list[DueRow] = []
    size_bytes = 0
    for due in rows:
        size_bytes += len(due.row.record)
        if taken and size_bytes > max_bytes:
            break
        taken.append(due)
    return taken
