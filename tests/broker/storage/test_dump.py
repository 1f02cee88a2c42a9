from typing import Any

import pytest

from tapemq.batch import Codec, Columns, Kind, encode_body, encode_extras
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.disk import Disk
from tapemq_broker.storage.dump import dump
from tapemq_broker.storage.gap import Gap
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.raw_log import DIRECTORY, RawLog
from tests.support.recovery_cases import Damage


def rows_of(disk: Disk, **wishes: Any) -> list[dict[str, Any]]:
    directory = DataDirectory(disk, bytes(16))
    place = directory.place_of(DIRECTORY)
    assert place is not None
    return list(dump(directory, place, **wishes))


def test_each_batch_is_a_row() -> None:
    damage = Damage()
    rows = rows_of(damage.disk())
    assert [row["offset"] for row in rows] == list(range(0, 18, 2))
    placed = damage.placed(8)
    assert rows[4] == {
        "segment": damage.path(6),
        "position": placed.position,
        "size_bytes": placed.header.batch_bytes,
        "kind": "data",
        "flags": 0,
        "batch": 4,
        "offset": 8,
        "count": 2,
        "log_epoch": 0,
        "append_time_us": placed.header.append_time_us,
        "durable_upto": 8,
        "durable_batch": 4,
        "producer_id": 0,
        "producer_epoch": 0,
        "first_sequence": 0,
        "producer_time_us": 0,
        "codec": "none",
        "data_bytes": 80,
    }


@pytest.mark.parametrize(
    ("wishes", "offsets"),
    [
        ({"from_offset": 7}, [6, 8, 10, 12, 14, 16]),
        ({"from_offset": 8, "upto": 13}, [8, 10, 12]),
        ({"upto": 2}, [0]),
        ({"from_offset": 18}, []),
    ],
)
def test_range_of_offsets(wishes: dict[str, Any], offsets: list[int]) -> None:
    assert [row["offset"] for row in rows_of(Damage().disk(), **wishes)] == offsets


@pytest.mark.parametrize(
    ("wishes", "offsets"),
    [({}, [*range(18)]), ({"from_offset": 7, "upto": 9}, [7, 8]), ({"from_offset": 17}, [17])],
)
def test_range_of_records(wishes: dict[str, Any], offsets: list[int]) -> None:
    """Of a batch with many records, only those that were asked for."""
    rows = rows_of(Damage().disk(), records=True, **wishes)
    assert [row["offset"] for row in rows if "value" in row] == offsets


def test_records_come_with_all_that_is_in_them() -> None:
    log = RawLog(MemoryDisk())
    extras = [encode_extras({"h": 1}, {"expiry": 5}), b""]
    columns = Columns([b"value", None], [b"key", None], extras)
    log.append(Kind.DATA, 2, encode_body(columns, codec=Codec.ZLIB))
    log.data(b"plain")
    batch, first, second, _, plain = rows_of(log.disk, records=True)
    assert batch["codec"] == "zlib"
    assert first == {
        "offset": 0,
        "key": b"key",
        "value": b"value",
        "headers": {"h": 1},
        "attributes": {"expiry": 5},
    }
    assert second == {"offset": 1, "key": None, "value": None, "headers": {}, "attributes": {}}
    assert plain == {"offset": 2, "key": None, "value": b"plain", "headers": {}, "attributes": {}}


def test_marks_and_gaps() -> None:
    log = RawLog(MemoryDisk())
    log.mark()
    gap = Gap(5, 9, 77, "lost")
    log.append(Kind.GAP, 0, gap.encode())
    log.data(b"behind")
    mark, bridge, data = rows_of(log.disk)
    assert (mark["kind"], "gap" in mark) == ("mark", False)
    assert bridge["gap"] == gap._asdict()
    assert data["offset"] == 5


def test_bad_places_are_rows() -> None:
    damage = Damage()
    damage.flip(8, 100)
    damage.append(b"torn")
    rows = rows_of(damage.disk())
    bad = [row for row in rows if "problem" in row]
    assert [(row["position"], row["offset"]) for row in bad] == [
        (damage.placed(8).position, 8),
        (damage.placed(16).end, 18),
    ]
    assert bad[0]["size_bytes"] == damage.placed(8).header.batch_bytes
    assert len(rows) == 10


def test_body_that_is_no_body_is_told() -> None:
    log = RawLog(MemoryDisk())
    log.append(Kind.DATA, 1, b"never checked")
    batch, record = rows_of(log.disk, records=True)
    assert "problem" in batch
    assert "problem" in record
