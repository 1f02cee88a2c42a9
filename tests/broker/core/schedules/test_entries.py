from typing import Any

import msgpack
import pytest

from tapemq.batch import Columns, Numbers, decode_prefix, encode_body
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.schedules.entries import (
    Cancelled,
    Entry,
    Fired,
    Firing,
    Moved,
    Scheduled,
    Shot,
    decode_entries,
    encode_entries,
)
from tapemq_broker.core.schedules.schedule import Move, Recurrence, Schedule

ONCE = Schedule(1, 99, 0, b"", b"record", 5)
CRON = Schedule(
    2**63 - 1, 10**17, 7, b"key", b"", 5, Recurrence("* * * * *", "Asia/Tokyo", 0, "all"), 3
)


@pytest.mark.parametrize(
    "entry",
    [
        Scheduled(ONCE),
        Scheduled(CRON, replaces=4),
        Cancelled(9),
        Firing(3, 1, 2, (Shot(1, 10), Shot(1, 20), Shot(2, 10))),
        Fired(3, (Move(1, 0, 1), Move(2, 30, 2))),
        Moved((Move(2, 40, 2),)),
    ],
)
def test_an_entry_is_the_same_when_it_is_read(entry: Entry) -> None:
    assert decode_entries(memoryview(encode_entries([entry, Cancelled(1)]))) == [
        entry,
        Cancelled(1),
    ]


def test_a_clients_schedule_carries_its_numbers() -> None:
    prefix = decode_prefix(encode_entries([Scheduled(ONCE)], Numbers(7, 1, 5, 99)))
    assert (prefix.producer_id, prefix.producer_epoch, prefix.first_sequence) == (7, 1, 5)


def test_a_newer_entry_is_refused() -> None:
    body = encode_body(Columns([b""], [msgpack.packb((99, 1))]))
    with pytest.raises(ValueError, match="a newer version"):
        decode_entries(body)


@pytest.mark.parametrize(
    "head",
    [
        7,
        [],
        ["1"],
        [2],
        [2, "9"],
        [2, 2**63],
        [2, 9, 9],
        [1, 1, 99, 0, "key", 5, None, 0, 0],
        [1, 1, 99, 0, b"", 5, ["* * * * *"], 0, 0],
        [3, 1, 1, 1, [[1]]],
        [4, 1, [[1, 2]]],
        [5, 3],
    ],
)
def test_nonsense_is_told(head: Any) -> None:
    body = encode_body(Columns([b""], [msgpack.packb(head)]))
    with pytest.raises(BadEntry):
        decode_entries(body)


@pytest.mark.parametrize("number", [-1, 2**63, 2**64 - 1])
def test_what_could_not_be_read_again_is_not_written(number: int) -> None:
    """It would refuse the log with everything else that is in it."""
    recurring = ONCE._replace(recurrence=Recurrence(every_ms=number))
    entries: list[Entry] = [
        Scheduled(recurring),
        Scheduled(ONCE, replaces=number),
        Cancelled(number),
        Firing(3, 1, 2, (Shot(1, 10), Shot(1, number))),
        Fired(3, (Move(1, number, 1),)),
        Moved((Move(2, 40, number),)),
    ]
    entries += [
        Scheduled(ONCE._replace(**{name: number}))  # type: ignore[arg-type]
        for name, kind in Schedule.__annotations__.items()
        if kind is int
    ]
    assert len(entries) == 11
    for entry in entries:
        with pytest.raises(BadEntry, match=f"{number} is not between"):
            encode_entries([Cancelled(1), entry])


def test_entries_are_in_keys() -> None:
    with pytest.raises(BadEntry, match="no keys"):
        decode_entries(encode_body(Columns([b""])))
