"""What a schedule log says: one entry per record, packed in the record's key.

The value of a *scheduled* entry is the packed record of the schedule; the others have none.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgpack

from tapemq.batch import Columns, Numbers, decode_columns, encode_body
from tapemq_broker.core.packed import BadEntry, check, check_list, unpack
from tapemq_broker.core.schedules.schedule import (
    INTEGER_MAX,
    ONCE,
    Move,
    Recurrence,
    Schedule,
)


class Scheduled(NamedTuple):
    """A schedule is pending, as it says; it ``replaces`` another one (0: none)."""

    schedule: Schedule
    replaces: int = 0


class Cancelled(NamedTuple):
    """A schedule is pending no more."""

    schedule_id: int


class Shot(NamedTuple):
    """One record of a firing: a schedule, for one of its times."""

    schedule_id: int
    due_us: int


class Firing(NamedTuple):
    """These go into a partition as one batch of the scheduler, in this order."""

    partition: int
    epoch: int
    first_sequence: int
    shots: tuple[Shot, ...]


class Fired(NamedTuple):
    """The firing of a partition is in its log; what becomes of its schedules."""

    partition: int
    moves: tuple[Move, ...]


class Moved(NamedTuple):
    """Times were passed over without firing."""

    moves: tuple[Move, ...]


Entry = Scheduled | Cancelled | Firing | Fired | Moved

_SCHEDULED, _CANCELLED, _FIRING, _FIRED, _MOVED = range(1, 6)
_NOBODY: Final = Numbers()
_FIELDS: Final[dict[int, tuple[type | None, ...]]] = {
    _SCHEDULED: (int, int, int, bytes, int, None, int, int),
    _CANCELLED: (int,),
    _FIRING: (int, int, int, list),
    _FIRED: (int, list),
    _MOVED: (list,),
}
_RECURRENCE: Final = (str, str, int, str)


def encode_entries(entries: Sequence[Entry], numbers: Numbers = _NOBODY) -> bytes:
    """The body of a batch of entries; ``numbers`` are those of the client's producer.

    Raises BadEntry for what decode_entries() would refuse, and with it the whole log.
    """
    packed = [_HEADS[type(entry)](entry) for entry in entries]
    _check_integers(packed)
    keys = [bytes(msgpack.packb(head)) for head in packed]
    values = [e.schedule.record if isinstance(e, Scheduled) else b"" for e in entries]
    return encode_body(Columns(values, keys), **numbers._asdict())


def _check_integers(items: Iterable[Any]) -> None:
    for item in items:
        if type(item) is int:
            if not 0 <= item <= INTEGER_MAX:
                raise BadEntry(f"{item} is not between 0 and {INTEGER_MAX}")
        elif isinstance(item, tuple):
            _check_integers(item)


def _scheduled(entry: Scheduled) -> tuple[Any, ...]:
    schedule = entry.schedule
    recurrence = None if schedule.recurrence.is_once else tuple(schedule.recurrence)
    return (
        _SCHEDULED, schedule.schedule_id, schedule.due_us, schedule.partition, schedule.key,
        schedule.created_us, recurrence, schedule.fired, entry.replaces,
    )  # fmt: skip


_HEADS: Final[dict[type, Callable[[Any], tuple[Any, ...]]]] = {
    Scheduled: _scheduled,
    Cancelled: lambda entry: (_CANCELLED, entry.schedule_id),
    Firing: lambda entry: (_FIRING, *entry),
    Fired: lambda entry: (_FIRED, *entry),
    Moved: lambda entry: (_MOVED, *entry),
}


def decode_entries(body: bytes | memoryview) -> list[Entry]:
    """The entries of a batch; those of a kind that is not known are a newer version's: refused.

    Raises BatchError, BadEntry.
    """
    columns = decode_columns(body)
    if columns.keys is None:
        raise BadEntry("a batch of entries has no keys")
    pairs = zip(columns.keys, columns.values, strict=True)
    return [_decode(unpack(key or b""), value) for key, value in pairs]


def _decode(head: Any, record: bytes | None) -> Entry:
    kind = check_list(head, (int,))[0]
    fields = _exactly(head[1:], _FIELDS.get(kind))
    if kind == _SCHEDULED:
        schedule_id, due_us, partition, key, created_us, recurrence, fired, replaces = fields
        again = ONCE if recurrence is None else Recurrence(*_exactly(recurrence, _RECURRENCE))
        data = bytes(record or b"")
        return Scheduled(
            Schedule(schedule_id, due_us, partition, key, data, created_us, again, fired), replaces
        )
    if kind == _CANCELLED:
        return Cancelled(*fields)
    if kind == _FIRING:
        shots = tuple(Shot(*_exactly(shot, (int, int))) for shot in fields[3])
        partition, epoch, first_sequence, _ = fields
        return Firing(partition, epoch, first_sequence, shots)
    moves = tuple(Move(*_exactly(move, (int, int, int))) for move in fields[-1])
    return Fired(fields[0], moves) if kind == _FIRED else Moved(moves)


def _exactly(items: Any, kinds: Sequence[type | None] | None) -> list[Any]:
    """So many items of these types (None: any)."""
    if kinds is None:
        raise BadEntry("it is of a kind that is not known: a newer version wrote this log")
    found = check_list(items, ())
    if len(found) != len(kinds):
        raise BadEntry(f"it has {len(found)} fields, not {len(kinds)}")
    for number, (item, kind) in enumerate(zip(found, kinds, strict=True)):
        if kind is not None:
            check(item, kind, f"field {number}")
        if kind is int and item > INTEGER_MAX:
            raise BadEntry(f"field {number} is {item}, above {INTEGER_MAX}")
    return found
