import pytest

from tapemq.batch import Columns, decode_header, encode_body
from tapemq.wire.limits import PARTITIONS_MAX
from tapemq_broker.core.schedules.entries import (
    Cancelled,
    Entry,
    Fired,
    Firing,
    Scheduled,
    Shot,
    encode_entries,
)
from tapemq_broker.core.schedules.schedule import Move, Recurrence, Schedule, pack_records
from tapemq_broker.server.schedules.check import Check
from tapemq_broker.server.schedules.zones import zone
from tapemq_broker.storage.errors import LogRefused
from tests.support.golden import read_golden

CHECK = Check("topics/default/orders~1/0.schedule", 3, zone)
HEADER = decode_header(read_golden("batch")["header"])
(RECORD,) = pack_records(encode_body(Columns([b"x"])))
GOOD = Schedule(1, 99, 2, b"", RECORD, 5, Recurrence("* * * * *", "Asia/Tokyo", 0, "all"))


def test_what_makes_sense_is_taken() -> None:
    beyond = Scheduled(GOOD._replace(partition=3))
    entries: list[Entry] = [Scheduled(GOOD), beyond, Firing(2, 0, 0, (Shot(1, 99),)), Cancelled(1)]
    assert CHECK.entries(HEADER, encode_entries(entries)) == entries


@pytest.mark.parametrize(
    "entry",
    [
        Scheduled(GOOD._replace(partition=PARTITIONS_MAX)),
        Firing(3, 0, 0, (Shot(1, 99),)),
        Firing(2, 0, 0, (Shot(1, 99), Shot(2, 1 << 60))),
        Fired(3, (Move(1, 0, 1),)),
        Scheduled(GOOD._replace(due_us=0)),
        Scheduled(GOOD._replace(record=b"nonsense")),
        Scheduled(GOOD._replace(recurrence=Recurrence("nonsense"))),
        Scheduled(GOOD._replace(recurrence=Recurrence("* * * * *", "Mars/Olympus"))),
    ],
)
def test_what_makes_none_refuses_the_log_by_name(entry: Entry) -> None:
    with pytest.raises(LogRefused, match=r"0\.schedule.*NOT_UNDERSTOOD.*restore"):
        CHECK.entries(HEADER, encode_entries([entry]))


def test_a_newer_kind_of_entry_refuses_the_log() -> None:
    with pytest.raises(LogRefused, match="newer version"):
        CHECK.entries(HEADER, encode_body(Columns([b""], [b"\x91\x63"])))
