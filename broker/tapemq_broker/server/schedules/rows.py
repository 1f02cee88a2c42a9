"""Between the core's entries and the index's operations."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgpack

from tapemq_broker.core.packed import BadEntry, check_list, unpack_list
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.schedules.entries import (
    Cancelled,
    Fired,
    Firing,
    Moved,
    Scheduled,
    Shot,
)
from tapemq_broker.core.schedules.recent import Placed
from tapemq_broker.core.schedules.recurrence import check_due
from tapemq_broker.core.schedules.schedule import Recurrence, Schedule
from tapemq_broker.storage.schedules.index import (
    BeginFiring,
    EndFiring,
    IndexDamaged,
    Move,
    Operation,
    Put,
    Remove,
    Row,
)


def operations(placed: Iterable[Placed]) -> Iterator[Operation]:
    """What entries of a log come to in the index."""
    for offset, entry in placed:
        if isinstance(entry, Scheduled):
            if entry.replaces:
                yield Remove(entry.replaces)
            yield Put(row_of(entry.schedule, offset))
        elif isinstance(entry, Cancelled):
            yield Remove(entry.schedule_id)
        elif isinstance(entry, Firing):
            data = msgpack.packb((entry.epoch, entry.first_sequence, entry.shots))
            yield BeginFiring(entry.partition, offset, bytes(data))
        else:
            yield from _moves(entry)


def _moves(entry: Fired | Moved) -> Iterator[Operation]:
    if isinstance(entry, Fired):
        yield EndFiring(entry.partition)
    for move in entry.moves:
        yield Move(*move) if move.due_us else Remove(move.schedule_id)


def row_of(schedule: Schedule, position: int) -> Row:
    """A schedule as a row of the index."""
    schedule_id, due_us, partition, key, record, created_us, recurrence, fired = schedule
    head = msgpack.packb((created_us, None if recurrence.is_once else tuple(recurrence)))
    return Row(schedule_id, position, due_us, partition, key, fired, bytes(head), record)


def schedule_of(row: Row) -> Schedule:
    """The inverse."""
    head: list[Any] = msgpack.unpackb(row.head)
    created_us, recurrence = head
    return Schedule(
        schedule_id=row.schedule_id,
        due_us=row.due_us,
        partition=row.partition,
        key=row.key,
        record=row.record,
        created_us=created_us,
        recurrence=Recurrence(*(recurrence or ())),
        fired=row.fired,
    )


def firing_of(begun: BeginFiring) -> Firing:
    """A firing that the index has noted. Raises IndexDamaged."""
    try:
        epoch, first_sequence, shots = unpack_list(begun.data, (int, int, list))
        return Firing(begun.partition, epoch, first_sequence, tuple(map(_shot, shots)))
    except (BadEntry, Refused) as error:
        raise IndexDamaged(f"a firing of partition {begun.partition}: {error}") from None


def _shot(item: Any) -> Shot:
    schedule_id, due_us = check_list(item, (int, int))[:2]
    return Shot(schedule_id, check_due(due_us))
