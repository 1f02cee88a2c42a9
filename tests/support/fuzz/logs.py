"""The decoders of the batches of logs that hold state, and of the snapshots that are made of them.

What is damaged here has the checksums that it should have. The declared error refuses that log.
"""

from collections.abc import Iterator
from functools import cache
from typing import Final

from tapemq.batch import (
    BatchError,
    Columns,
    Kind,
    decode_columns,
    decode_header,
    encode_body,
    iter_batches,
)
from tapemq_broker.core.producers import Producers
from tapemq_broker.core.schedules.entries import (
    Cancelled,
    Fired,
    Firing,
    Moved,
    Scheduled,
    Shot,
    encode_entries,
)
from tapemq_broker.core.schedules.recent import Placed
from tapemq_broker.core.schedules.recurrence import due_times
from tapemq_broker.core.schedules.schedule import Move, Recurrence, Schedule, pack_records
from tapemq_broker.server.observer import ProducersObserver
from tapemq_broker.server.schedules.check import Check
from tapemq_broker.server.schedules.rows import firing_of, operations, schedule_of
from tapemq_broker.server.schedules.zones import zone
from tapemq_broker.storage.errors import LogRefused
from tapemq_broker.storage.last_values import LastValues, Part, encode_parts
from tapemq_broker.storage.schedules.memory_index import MemoryScheduleIndex
from tests.support.fuzz.fuzzing import Decoder
from tests.support.golden import read_golden
from tests.support.golden_directory.contents import GOLDEN

_HEADER: Final = decode_header(read_golden("batch")["header"])
_ENTRIES: Final = {b"a": b"1", b"b": b"2"}
_SOON_US: Final = 1_000_000
_LATE_US: Final = 24 * 3600 * 1_000_000
_DUE_US: Final = 1_700_000_000_000_000


def decoders() -> Iterator[Decoder]:
    """All of them."""
    scheduled = [*bodies_of("schedule"), *_every_entry()]
    yield Decoder("schedule entries", scheduled, _schedule, (LogRefused,))
    heads = [bytes(key) for body in scheduled for key in decode_columns(body).keys or () if key]
    yield Decoder("schedule entry", heads, _entry, (LogRefused,), is_packed=True)
    yield Decoder("producers of a log", bodies_of("0"), _observe, (BatchError,))
    parts = [part.body for part in encode_parts(_ENTRIES)]
    yield Decoder("state log", [*bodies_of("groups"), *parts], _add_up, (ValueError,))
    values = LastValues()
    values.apply(_ENTRIES, 99)
    states = [values.snapshot() or b""]
    yield Decoder("state of a state log", states, _restore, (ValueError,), is_packed=True)


@cache
def bodies_of(log: str) -> list[bytes]:
    """The bodies of all such logs in the golden directory."""
    paths = sorted(path for path in GOLDEN.rglob("*.log") if path.parent.name.endswith(log))
    return [
        bytes(body)
        for path in paths
        for header, body in iter_batches(path.read_bytes().partition(b"TMQB and")[0])
        if header.record_count
    ]


def _every_entry() -> Iterator[bytes]:
    """Entries of each kind, and schedules of each sort."""
    (record,) = pack_records(encode_body(Columns([b"x"])))
    once = Schedule(1, _DUE_US, 0, b"", record, _DUE_US)
    sorts = (
        Recurrence("*/5 * * * *", "Europe/Berlin", 0, "all"),
        Recurrence("0 2 * * *", "Europe/Berlin", 0, "last"),
        Recurrence("", "UTC", 1000, "last"),
        Recurrence("", "UTC", 3_600_000, "none"),
    )
    again = [
        once._replace(schedule_id=number, key=b"k%d" % number, recurrence=sort)
        for number, sort in enumerate(sorts, 2)
    ]
    yield encode_entries([Scheduled(once), *map(Scheduled, again)])
    for sort in again:
        yield encode_entries([Scheduled(sort, replaces=1)])
    firing = Firing(1, 0, 5, (Shot(1, _DUE_US), Shot(2, _DUE_US)))
    moves = (Move(1, 0, 1), Move(2, _DUE_US + 1, 1))
    yield encode_entries([Cancelled(3), firing])
    yield encode_entries([firing, Fired(1, moves), Moved(moves)])


def _schedule(body: bytes) -> None:
    """What is taken gets into an index, and out of it."""
    check = Check("0.schedule", 3, zone)
    entries = check.entries(_HEADER, body)
    index = MemoryScheduleIndex()
    index.apply(1, len(entries), list(operations(map(Placed._make, enumerate(entries)))))
    for begun in index.state(1).firings:
        firing_of(begun)
    for row in index.page(1, 0, 0, 10):
        schedule, late_us = schedule_of(row), row.due_us + _LATE_US
        due_times(schedule, row.due_us + _SOON_US, 0, zone)
        due_times(schedule, late_us, late_us, zone)


def _entry(data: bytes) -> None:
    (record,) = pack_records(encode_body(Columns([b"x"])))
    _schedule(encode_body(Columns([record], [data])))


def _observe(body: bytes) -> None:
    """A snapshot of what is taken is taken, too."""
    producers = Producers()
    ProducersObserver(producers).observe(_HEADER, memoryview(body))
    producers.restore(producers.snapshot())


def _add_up(body: bytes) -> None:
    values = LastValues()
    values.observe(_HEADER._replace(kind=Kind.GROUP), memoryview(body))
    values.restore(values.snapshot())


def _restore(state: bytes) -> None:
    values = LastValues()
    values.restore(state)
    values.apply({b"a": None, b"c": b"3"}, 99)
    assert all(isinstance(part, Part) for part in encode_parts(values.entries))
